"""What is kept of an alert for people to look at."""

from pydantic import Field

from configs.settings import Section


class EvidenceSettings(Section):
    """Evidence of each alert, beside its record in the store. Times in seconds of stream time."""

    clips: bool = Field(True, description="a clip of each alert, cut from what the camera sends; false = none")
    pre_roll_s: float = Field(5.0, ge=0.0, le=60.0, description="of a clip before its alert starts, at least")
    post_roll_s: float = Field(5.0, ge=0.0, le=60.0, description="of a clip after its alert has ended, at least")
    longest_s: float = Field(300.0, ge=1.0, le=86400.0, description="a clip follows its alert for so long at most")
    clip_megabytes: float = Field(
        32.0, ge=1.0, le=10_000.0, description="memory of each camera for what may become the start of a clip"
    )
    pictures: bool = Field(True, description="pictures of each alert; false = only its record, scores and clip")
