"""Words for feelings of any vocabulary → the canonical emotions.

Rule: a table, never a guess. A word that means more than one of them is mapped to the nearest and warned of;
a word that means none of them has no primary. The original is kept in primary_raw wherever it differs.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from membatch.memory import EMOTIONS

AMBIGUOUS: Final = "emotion-ambiguous"
UNMAPPED: Final = "emotion-unmapped"

WARNS: Final = {
    AMBIGUOUS: "a word for a feeling means more than one of the canonical emotions; the nearest is primary",
    UNMAPPED: "a word for a feeling means none of the canonical emotions; it is kept in primary_raw only",
}

# Words of Ekman's, Plutchik's, GoEmotions', MELD's, EmoryNLP's, ESConv's and EmpatheticDialogues' vocabularies,
# and everyday adjectives. In Plutchik's wheel rage, anger and annoyance are degrees of one emotion, and so on.
SURE: Final[dict[str, str]] = {
    word: emotion
    for emotion, words in {
        "joy": "joyful happiness happy delighted delight amusement amused ecstasy cheerful glad joyous",
        "sadness": "sad grief grieving sorrow sorrowful unhappy depression depressed devastated pensiveness lonely "
        "loneliness melancholy gloomy",
        "anger": "angry mad furious rage irate outraged anger/irritation",
        "fear": "afraid fearful terrified terror scared scare frightened fright",
        "surprise": "surprised amazement amazed astonished astonishment shocked",
        "disgust": "disgusted loathing revulsion",
        "anticipation": "anticipating vigilance expectant anticipatory",
        "trust": "trusting",
        "love": "loving affection affectionate adoration caring",
        "anxiety": "anxious nervousness nervous worry worried apprehension apprehensive stressed stress tense",
        "excitement": "excited thrilled enthusiastic enthusiasm",
        "contentment": "content serenity peaceful calm relaxed satisfied satisfaction relief relieved",
        "frustration": "frustrated annoyance annoyed irritated irritation exasperated",
        "neutral": "none no_emotion no-emotion",
    }.items()
    for word in words.split()
}
AMBIGUOUS_WORDS: Final[dict[str, str]] = {
    "admiration": "trust",
    "approval": "trust",
    "gratitude": "joy",
    "grateful": "joy",
    "optimism": "anticipation",
    "hope": "anticipation",
    "hopeful": "anticipation",
    "desire": "anticipation",
    "prepared": "anticipation",
    "confident": "trust",
    "faithful": "trust",
    "acceptance": "trust",
    "pride": "joy",
    "proud": "joy",
    "powerful": "joy",
    "impressed": "surprise",
    "disappointment": "sadness",
    "disappointed": "sadness",
    "remorse": "sadness",
    "sentimental": "sadness",
    "nostalgic": "sadness",
    "pain": "sadness",
    "embarrassment": "anxiety",
    "embarrassed": "anxiety",
    "disapproval": "disgust",
    "contempt": "disgust",
    "upset": "sadness",
    "shame": "sadness",
    "guilt": "sadness",
}


class Emotion(NamedTuple):
    """A canonical emotion or none, the word that it was given as where that differs, and a warning's code."""

    primary: str | None
    raw: str | None
    warning: str | None


def emotion(word: str) -> Emotion:
    """Return what a word for a feeling means."""
    folded = word.strip().casefold()
    if folded in EMOTIONS:
        return Emotion(folded, None if folded == word else word, None)
    if folded in SURE:
        return Emotion(SURE[folded], word, None)
    if folded in AMBIGUOUS_WORDS:
        return Emotion(AMBIGUOUS_WORDS[folded], word, AMBIGUOUS)
    return Emotion(None, word, UNMAPPED)


def felt(word: str, **more: Any) -> tuple[dict[str, Any], str | None]:
    """Return an emotional_context for a word, with more of its fields, and a warning's code or None."""
    found = emotion(word)
    context = {"primary": found.primary, "primary_raw": found.raw, **more}
    return {name: value for name, value in context.items() if value not in (None, [], {})}, found.warning
