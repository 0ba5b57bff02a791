import pytest

from configs.notify import NotifySettings
from configs.schema import ConfigError, load, load_notify, load_store

SECRET = "s3cret-t0ken"
HOOK = "{name: ops, url: 'http://ops/'}"


@pytest.fixture
def site(tmp_path):
    def write(text):
        path = tmp_path / "site.yaml"
        path.write_text(text)
        return path

    return write


@pytest.fixture
def problem(site):
    """The one line that is told about a section."""

    def of(section, more=""):
        path = site(f"notify: {section}\n{more}")
        with pytest.raises(ConfigError) as caught:
            load(path)
        return str(caught.value).removeprefix(f"{path}:1: ")

    return of


def test_without_the_section_nobody_is_told(site):
    assert load(site("notify:\n  # webhook: []\nstore: {keep_days: 3}\n")).notify is None
    assert load_notify(site("store: {keep_days: 3}\n")) is None


def test_secrets_come_from_the_environment_and_show_nowhere(site, monkeypatch):
    monkeypatch.setenv("TOKEN", SECRET)
    path = site(
        "notify:\n"
        "  mqtt: [{name: home, host: broker, username: '${TOKEN}', password: '${TOKEN}'}]\n"
        "  webhook: [{name: ops, url: 'https://ops/${TOKEN}', secret: '${TOKEN}${TOKEN}',\n"
        "             authorization: 'Bearer ${TOKEN}'}]\n"
        "  apprise: [{name: phone, url: 'tgram://${TOKEN}/1'}]\n"
    )
    notify = load(path).notify
    assert notify.mqtt[0].password == notify.mqtt[0].username == SECRET
    assert notify.webhook[0].url == f"https://ops/{SECRET}"
    assert notify.webhook[0].authorization == f"Bearer {SECRET}"
    assert notify.apprise[0].url == f"tgram://{SECRET}/1"
    assert SECRET not in repr(load(path))
    assert load_notify(path) == notify


def test_the_section_is_read_alone_whatever_is_wrong_with_others(site):
    path = site(f"notify: {{webhook: [{HOOK}]}}\nstore: {{keep_days: 5}}\nworker: {{device: abacus}}\n")
    assert load_notify(path).webhook[0].name == "ops"
    assert load_store(path).keep_days == 5


@pytest.mark.parametrize(
    "section",
    [
        "{webhook: [{name: ops, url: 's3cret-t0ken'}]}",
        "{webhook: [{name: ops, url: 'ftp://s3cret-t0ken/'}]}",
        "{webhook: [{name: ops, url: 'http://me:s3cret-t0ken@ops/'}]}",
        "{webhook: [{name: ops, url: 'http://ops/', secret: s3cret-t0ken}]}",  # too short
        "{webhook: [{name: ops, url: 'http://ops/${NO_SUCH}/s3cret-t0ken'}]}",
        "{mqtt: [{name: home, host: broker, password: s3cret-t0ken}]}",
        "{mqtt: [{name: home, host: 'mqtt://me:s3cret-t0ken@broker'}]}",
        "{mqtt: [{name: home, host: broker, username: me, password: [s3cret-t0ken]}]}",
        "{apprise: [{name: phone, url: {s3cret-t0ken: 1}}]}",
    ],
)
def test_what_is_wrong_is_told_without_the_secret(problem, section):
    assert SECRET not in problem(section)


@pytest.mark.parametrize(
    ("section", "expected"),
    [
        ("{timeout_s: 3.0}", "notify: must have a channel in mqtt, webhook or apprise, or be left out"),
        (
            f"{{webhook: [{HOOK}], apprise: [{{name: ops, url: x}}]}}",
            "notify.apprise.0.name: must be unique, another channel is 'ops', too",
        ),
        (
            "{webhook: [{name: ops, url: 'http://ops/', quiet: 22-6}]}",
            'notify.webhook.0.quiet: must be hours such as "22:00-06:00", local time, whose alerts are told '
            "afterwards in one digest, not '22-6'",
        ),
        (
            "{webhook: [{name: ops, url: 'http://ops/', quiet: '06:00-06:00'}]}",
            "notify.webhook.0.quiet: must end at another time than it begins",
        ),
        (
            "{webhook: [{name: ops, url: 'http://ops/', urgent: 3.0}]}",
            "notify.webhook.0.urgent: must be given with quiet: at other hours alerts are told at once anyhow",
        ),
        (
            "{webhook: [{name: ops, url: 'http://ops/', kinds: [anomly]}]}",
            "notify.webhook.0.kinds.0: must be 'anomaly', 'camera' or 'drift', not 'anomly'",
        ),
        (
            "{webhook: [{name: ops, ulr: 'http://ops/', url: 'http://ops/'}]}",
            "notify.webhook.0.ulr: unknown key, did you mean url?",
        ),
        (
            "{mqtt: [{name: home, host: 'a b'}]}",
            "notify.mqtt.0.host: must be the broker's name or address, without port, not 'a b'",
        ),
        (
            "{mqtt: [{name: home, host: broker, ca_file: ca.pem}]}",
            "notify.mqtt.0.ca_file: must be given with tls: true only",
        ),
        (
            f"{{webhook: [{HOOK}], retry_first_s: 9.0, retry_max_s: 3.0}}",
            "notify.retry_first_s: must be at most retry_max_s (3)",
        ),
    ],
)
def test_each_fault_is_one_line_with_the_way_out(problem, section, expected):
    assert problem(section) == expected


def test_a_channel_names_cameras_that_are_there(problem, site):
    channel = "{webhook: [{name: ops, url: 'http://ops/', cameras: [gate, yrad]}]}"
    cameras = "cameras: [{name: gate, source: 0}, {name: yard, source: 1}]\n"
    assert (
        problem(channel, cameras) == "notify.webhook.0.cameras.1: must be one of the cameras (gate, yard), not 'yrad'"
    )
    assert load(site(f"notify: {channel}\n")).notify.webhook[0].cameras == ("gate", "yrad")  # named when it is run


def test_the_port_follows_from_the_encryption_unless_it_is_given():
    def port(**changes):
        return NotifySettings.model_validate({"mqtt": [{"name": "home", "host": "broker", **changes}]}).mqtt[0]

    assert [port().effective_port, port(tls=True).effective_port, port(tls=True, port=1).effective_port] == [
        1883,
        8883,
        1,
    ]
