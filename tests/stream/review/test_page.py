"""The page in a real Chromium: what a person sees, presses and types, and what of it reaches the store."""

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from detector import stretch
from stream import running
from stream.bus import Broker, Publisher
from stream.clock import utc_text
from stream.store import Minute, StateChange, Store, evidence_path
from tests.kept_stretch import seen
from tests.stream import views
from tests.stream.review import made
from tests.stream.review.served import served
from tests.waiting import wait_until

browser = pytest.importorskip("tests.stream.review.browser", reason="selenium is not installed")
pytestmark = pytest.mark.skipif(
    bool(browser.missing()), reason=f"not here: {browser.missing()}: make debian-packages"
)

COUNT = 150  # more than two pages of the list
START = datetime.now(UTC).replace(microsecond=0) - timedelta(days=2)


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """Alerts of two cameras every ten minutes back, the newest with a clip, and a day of minutes and states."""
    folder = tmp_path_factory.mktemp("store")
    records = []
    for index in range(COUNT):
        one = made.record(
            index,
            ("gate", "yard")[index % 2],
            started=START - timedelta(minutes=10 * index),
            kind="camera" if index % 10 == 5 else "anomaly",
        )
        roles = ("picture", "clean", "strip") if index < 4 else ("clean",)
        records.append(made.with_pictures(folder, one, hue=index, roles=roles))
    records[0] = made.with_clip(folder, records[0])
    with Store.open(folder) as opened:
        opened.save(*records)
        minutes = [
            Minute(
                camera="gate",
                minute=utc_text(START - timedelta(minutes=index))[:16] + "Z",
                scores=9,
                level=0.5,
                live_s=60,
            )
            for index in range(60)
        ]
        states = [StateChange(camera="gate", state="lost", reason="no route", utc=utc_text(START))]
        opened.history.add(minutes=minutes, states=states)
    return folder


@pytest.fixture(scope="module")
def server(tmp_path_factory, store):
    with served(tmp_path_factory.mktemp("review"), store) as program:
        yield program


@pytest.fixture(scope="module")
def chromium(tmp_path_factory):
    with browser.chromium(tmp_path_factory.mktemp("profile")) as driver:
        yield driver


@pytest.fixture
def page(chromium, server):
    """The page as it is when the list is there; at the end it has told no error and asked nobody else."""
    made = Page(chromium, f"http://127.0.0.1:{server.port}/")
    made.open()
    yield made
    made.check()


class Page:
    """What the tests look for on the page."""

    def __init__(self, driver, address):
        self.driver, self.address = driver, address
        self.expected_errors = 0
        """Of the console: answers that a test provokes."""

    def open(self, width=1280, height=900, *, phone=False, hash_=""):
        browser.size(self.driver, width, height, phone=phone)
        self.driver.get("about:blank")  # an address that differs only in what is chosen would not load it again
        self.driver.get(f"{self.address}{hash_}")
        self.until("document.querySelectorAll('#list .row').length >= 60")

    def js(self, code, *arguments):
        return browser.script(self.driver, code, *arguments)

    def until(self, code, *arguments, within_s=10.0):
        return browser.wait(self.driver, lambda _: self.js(code, *arguments), within_s)

    def text(self, selector):
        return self.js("document.querySelector(arguments[0])?.textContent ?? ''", selector)

    def press(self, key):
        special = {"Enter": "\ue007", " ": "\ue00d", "Escape": "\ue00c"}
        self.driver.switch_to.active_element.send_keys(special.get(key, key))

    def chosen(self):
        return self.js("decodeURIComponent(location.hash.slice(1))")

    def is_chosen(self, index):
        return self.until(f"decodeURIComponent(location.hash).endsWith('-{index:05d}')")

    def click(self, selector):
        self.driver.find_element("css selector", selector).click()

    def choose(self, name, value):
        self.js(
            "(([name, value]) => { const one = document.querySelector(`#filters [name=${name}]`); one.value = value; "
            "one.dispatchEvent(new Event('change', {bubbles: true})); })(arguments)",
            name,
            value,
        )

    def rows(self):
        return self.js("[...document.querySelectorAll('#list a')].map(row => decodeURIComponent(row.hash.slice(1)))")

    def check(self):
        errors = [one for one in self.driver.get_log("browser") if one["level"] == "SEVERE"]
        assert len(errors) == self.expected_errors, errors
        asked = self.js("performance.getEntriesByType('resource').map(one => one.name)")
        assert asked
        assert [one for one in asked if not one.startswith(self.address)] == []
        sent = [
            one["message"]
            for one in self.driver.get_log("performance")
            if 'Network.requestWillBeSent"' in one["message"]
        ]
        assert sent
        assert [one for one in sent if '"url":"http' in one and f'"url":"{self.address}' not in one] == []


def verdict(store, alert_id):
    with Store.open(store) as opened:
        return opened.verdicts([alert_id]).get(alert_id)


def test_the_list_has_pictures_and_words_and_grows_as_it_is_scrolled(page):
    first = "#list li:first-child"
    assert page.text(f"{first} .where") == "gate"
    assert page.text(f"{first} .level") == "3.0×"
    assert page.text(f"{first} .words") == "moving 3.4x faster than normal here"
    page.until(f"document.querySelector('{first} img').naturalWidth === {made.WIDTH}")
    assert page.js("document.querySelector('#list li:nth-child(55) img').complete") is False  # not in sight yet
    scrolled = "(document.querySelector('#list').scrollTop = 1e9) && document.querySelectorAll('#list li').length"
    page.until(f"{scrolled} === {COUNT}")
    rows = page.rows()
    assert [int(row[-5:]) for row in rows] == list(range(COUNT))


def test_filters_narrow_the_list(page):
    page.choose("kind", "camera")
    page.until("document.querySelectorAll('#list li').length === 15")
    assert page.text("#list li .words") == "covered: sees nothing"
    page.choose("kind", "")
    page.choose("camera", "yard")
    page.until("document.querySelector('#list .where').textContent === 'yard'")
    assert {row.split("-")[2] for row in page.rows()} == {"yard"}
    page.choose("verdict", "real")
    page.until("document.querySelector('#list-end').textContent === 'No alerts here.'")


def test_the_clip_plays_beside_its_curve_and_heat_map(page):
    page.until("document.querySelector('video')?.readyState >= 1")
    assert page.js("document.querySelector('video').videoWidth") == made.WIDTH
    assert page.js("document.querySelector('video').duration") == pytest.approx(made.CLIP_S, abs=0.2)
    page.until("!document.querySelector('.curve').hidden")
    painted = (
        "[...document.querySelector(arguments[0]).getContext('2d').getImageData(0, 0, 500, 140).data]"
        ".filter((value, index) => index % 4 === 3 && value).length"
    )
    hot = page.js(painted, ".over canvas")
    assert hot > 500
    page.press("h")
    assert 0 < page.js(painted, ".over canvas") < hot  # the outline of the place stays
    assert page.js("document.querySelector('#heat').checked") is False
    curve = "document.querySelector('.curve canvas').toDataURL()"
    still = page.js(curve)
    page.press(" ")
    page.until("document.querySelector('video').currentTime > 0.4")
    assert page.js(curve) != still
    page.press("Enter")
    page.until("document.querySelector('video').paused")
    page.js(
        "document.querySelector('.curve canvas').dispatchEvent(new MouseEvent('click', {clientX: "
        "document.querySelector('.curve canvas').getBoundingClientRect().right - 20}))"
    )
    page.until("document.querySelector('video').currentTime > 7")  # sought: the server answers with parts


def test_without_a_clip_the_picture_is_there(page):
    page.press("j")
    page.is_chosen(1)
    page.until("document.querySelector('.stage img')?.naturalWidth > 0")
    assert page.js("document.querySelector('video')") is None
    assert page.text(".detail .said") == "moving 3.4x faster than normal here"
    page.until("document.querySelector('.strip-picture img').naturalWidth > 0")


def test_keys_choose_judge_and_explain(page, store):
    page.is_chosen(0)  # the newest, from the start
    page.press("k")
    page.is_chosen(0)
    for index in (1, 2, 3):
        page.press("j")
        page.is_chosen(index)
    page.press("k")
    page.is_chosen(2)
    page.until("document.querySelector('.judge') !== null")
    page.press("r")
    page.until("document.querySelector('.told').textContent === 'noted as real'")
    assert verdict(store, page.chosen()) == "real"
    assert page.text("#list a[aria-current] .verdict") == "real"
    page.press("u")
    page.until("document.querySelector('.told').textContent === 'taken back'")
    assert verdict(store, page.chosen()) is None
    today = page.js("document.querySelector('#day').value")
    page.press("[")
    assert page.js("document.querySelector('#day').value") < today
    page.press("?")
    page.until("document.querySelector('#keys').open")
    page.press("j")  # the dialog has the keys
    page.press("Escape")
    page.until("!document.querySelector('#keys').open")
    page.is_chosen(2)


def test_j_goes_on_through_all_pages(page):
    page.js("document.querySelector('#list li:nth-child(60) a').click()")
    page.is_chosen(59)
    page.press("j")
    page.is_chosen(60)
    page.until("document.querySelector('#detail time')?.dateTime.length > 0")


def test_a_mark_of_the_day_leads_to_its_alert(page, store):
    day = START.astimezone().strftime("%Y-%m-%d")
    page.js(
        "((input, day) => { input.value = day; input.dispatchEvent(new Event('change')); })"
        f"(document.querySelector('#day'), '{day}')"
    )
    page.until("document.querySelectorAll('.strip:not(.hours) canvas').length === 2")
    page.press("j")
    page.is_chosen(1)
    begun = START.astimezone()
    fraction = (begun - begun.replace(hour=0, minute=0, second=0)).total_seconds() / 86400
    page.until("document.querySelector('.strip canvas').getAttribute('aria-label').startsWith('gate: ')")
    page.js(
        "((canvas, fraction) => { const box = canvas.getBoundingClientRect(); canvas.dispatchEvent(new MouseEvent("
        "'click', {clientX: box.left + fraction * box.width, clientY: box.top + 5})); })"
        f"(document.querySelector('.strip canvas'), {fraction})"
    )
    page.is_chosen(0)


def test_on_a_phone_the_list_comes_first_and_nothing_sticks_out(page):
    page.open(390, 844, phone=True)
    wide = "Math.max(document.documentElement.scrollWidth, document.body.scrollWidth)"
    assert page.js(wide) <= 390
    assert page.chosen() == ""
    assert page.js("getComputedStyle(document.querySelector('#detail')).display") == "none"
    page.click("#list li:nth-child(1) a")
    page.until("document.querySelector('video')?.readyState >= 1")
    assert page.js(wide) <= 390
    assert page.js("document.querySelector('#detail').scrollWidth <= 390")
    buttons = page.js(
        "[...document.querySelectorAll('.judge button')].map(one => one.getBoundingClientRect().height)"
    )
    assert len(buttons) == 3
    assert min(buttons) >= 44  # for a thumb
    for leave in (lambda: page.click(".back"), page.driver.back):
        leave()
        page.until("getComputedStyle(document.querySelector('#detail')).display === 'none'")
        assert page.chosen() == ""
        page.click("#list li:nth-child(2) a")
        page.is_chosen(1)


def test_everything_to_press_has_a_name_and_what_is_read_has_contrast(page):
    nameless = (
        "[...document.querySelectorAll('button, select, input, a, video, canvas, img')].filter(one => "
        "!(one.textContent.trim() || one.ariaLabel || one.title || one.labels?.length || one.hasAttribute('alt') || "
        "one.getAttribute('aria-hidden') || one.tagName === 'VIDEO')).map(one => one.outerHTML)"
    )
    assert page.js(nameless) == []
    for scheme in ("light", "dark"):
        browser.colours(page.driver, scheme)
        page.until(f"matchMedia('(prefers-color-scheme: {scheme})').matches")
        for name in ("text", "soft", "anomaly", "camera", "drift", "good"):
            assert page.js(CONTRAST, name) >= 4.5, (scheme, name)  # WCAG AA


CONTRAST = """((name) => {
  const light = (property) => {
    const probe = document.createElement("i");
    probe.style.color = `var(--${property})`;
    document.body.append(probe);
    const parts = getComputedStyle(probe).color.match(/[0-9.]+/g).slice(0, 3).map((one) => one / 255);
    probe.remove();
    const [r, g, b] = parts.map((one) => (one <= 0.03928 ? one / 12.92 : ((one + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const [a, b] = [light(name), light("card")].sort((one, other) => other - one);
  return (a + 0.05) / (b + 0.05);
})(arguments[0])"""


def test_live_levels_and_new_alerts_come_by_themselves_for_as_long_as_a_watch_runs(page, store):
    page.expected_errors = 1  # the console notes the answer that says why an alert cannot be marked
    page.until("document.querySelector('#watch').textContent === 'no watch runs with this store'")
    with running.claim(store, ("gate", "yard")) as held, Broker(held.endpoints), Publisher(held.endpoints) as bus:
        sent = 0

        def shown():
            nonlocal sent
            for camera in ("gate", "yard"):
                bus.send(views.camera(camera))
            bus.send(views.score(seq=sent, value=1.5, threshold=2.0))
            sent += 1
            return page.text(".tile .level") == "0.8×"

        assert wait_until(shown, 15.0)
        assert page.text("#watch") == "watching 2 cameras"
        assert page.js("document.querySelectorAll('.tile').length") == 2
        one = replace(
            made.with_pictures(store, made.record(999, started=START + timedelta(hours=1)), roles=("clean",)),
            state="open",
            ended_utc=None,
            ended_s=None,
        )
        with Store.open(store) as opened:
            opened.save(one)
        bus.send(views.alert("start", one.id))
        page.until(f"document.querySelector('#list a').hash === '#{one.id}'")
        assert page.text("#list .verdict") == "now"
        page.until("document.querySelector('.tile.alert .name')?.textContent === 'gate'")
        page.js("document.querySelector('#list a').click()")
        page.is_chosen(999)
        page.until("document.querySelector('.judge') !== null")
        page.press("n")
        page.until("document.querySelector('.told').textContent === 'marking …'")
        page.until("document.querySelector('.told.error')?.textContent.includes('is still going on: mark it when')")
        assert verdict(store, one.id) is None
        page.click(".tile:nth-child(2)")  # filters by this camera
        page.until("document.querySelector('#list .where').textContent === 'yard'")
    page.until("document.querySelector('#watch').textContent === 'no watch runs with this store'")
    with Store.open(store) as opened:
        opened.remove(one.id)


@pytest.mark.timeout(120)
def test_what_was_normal_is_learned_and_taken_back(page, street, store):
    page.is_chosen(0)
    page.until("document.querySelector('.judge') !== null")
    alert_id = page.chosen()
    kept = seen(street.model, f"{street.normal}&seconds=3", camera="gate", began=START)
    model = store / "gate.mulde"
    model.write_bytes(street.model.read_bytes())
    kept = replace(kept, about=replace(kept.about, model=str(model)))
    stretch.write(kept, stretch.file_of(store / "footage" / "gate", stretch.ALERT, f"{START:%Y%m%dT%H%M%S%f}"))
    before = model.read_bytes()
    page.press("n")
    page.until("document.querySelector('.told').textContent === 'counts as normal from now on'", within_s=40.0)
    assert verdict(store, alert_id) == "normal"
    assert model.read_bytes() != before
    assert page.text("#list a[aria-current] .verdict") == "normal"
    page.press("u")
    page.until("document.querySelector('.told').textContent === 'taken back'", within_s=40.0)
    assert verdict(store, alert_id) is None


def test_a_picture_that_was_removed_leaves_the_page_as_it_is(page, store):
    page.expected_errors = 1
    gone = evidence_path(store, "yard", page.rows()[3], "clean")
    kept = gone.rename(gone.with_name("kept"))
    page.js("document.querySelector('#list li:nth-child(4) img').src += '-again'")
    page.until("document.querySelector('#list li:nth-child(4) img') === null")
    page.js("document.querySelector('#list li:nth-child(4) a').click()")
    page.is_chosen(3)
    page.until("document.querySelector('.stage img')?.naturalWidth > 0")
    kept.rename(gone)


def test_the_token_opens_the_page_and_leaves_the_address_at_once(chromium, store, tmp_path):
    with served(tmp_path, store, host="0.0.0.0") as program:
        token = re.search(r"\?token=(\S+)", program.stdout)[1]
        page = Page(chromium, f"http://127.0.0.1:{program.port}/")
        chromium.get(page.address)
        assert "A token is needed" in page.text("body")
        page.open(hash_=f"?token={token}")
        assert page.js("location.href").startswith(page.address)
        assert token not in page.js("location.href")
        assert page.js("document.cookie") == ""  # not for scripts
        page.until("document.querySelector('video')?.readyState >= 1")
        page.press("j")
        page.is_chosen(1)
        page.until("document.querySelector('.stage img')?.naturalWidth > 0")
        page.open()  # the cookie is enough
        chromium.get("about:blank")
        noted = [one["message"] for one in chromium.get_log("browser") if one["level"] == "SEVERE"]
        assert noted  # of the page that was refused, and its icon
        assert [one for one in noted if "401 (Unauthorized)" not in one] == []
