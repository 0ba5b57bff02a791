"""Numbers and times as people read them, each with a bound on how many characters it takes."""


def number(value: float) -> str:
    """Three digits or so, at most 6 characters, 7 where it is beyond all measure."""
    size = abs(value)
    if size >= 99_999.5:
        return f"{value:.0e}"
    return f"{value:.2f}" if size < 10 else f"{value:.1f}" if size < 100 else f"{value:.0f}"


def short(value: float) -> str:
    """A count in at most 4 characters."""
    if value < 10_000:
        return f"{value:.0f}"
    return f"{value / 1000:.0f}k" if value < 1_000_000 else f"{value / 1_000_000:.0f}M"


def duration(seconds: float) -> str:
    """ "42 s", "3 min" or "3 min 5 s", "2 h 10 min"."""
    whole = int(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min" + (f" {whole % 60} s" if whole % 60 else "")
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def elapsed(seconds: float) -> str:
    """A long time: "2:07:05", "3 d 2:07:05"."""
    whole = int(seconds)
    days, rest = divmod(whole, 86400)
    return (f"{days} d " if days else "") + f"{rest // 3600}:{rest % 3600 // 60:02}:{rest % 60:02}"
