"""Names as people and data files write them, resolved to catalog ids.

`Names.resolve` tries, in this order: the name as written, the normalised name, and then, without the
organisation in front, the name with one suffix after the other dropped (``-Instruct``, ``-FP8`` and such say
how a model was tuned or stored, not what shape it has). At each step a looser spelling counts too:
``LLaMA v3.1 8B`` is ``Llama 3.1 8B`` and ``llama3_1-8b`` is ``llama-3.1-8b``. ``-pruned`` is never dropped:
that is another shape.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

_SEPARATORS = str.maketrans("_-/", "   ")
_LONGEST = 200  # no catalog name comes near; keeps hostile input cheap

_TUNING = frozenset({"instruct", "it", "chat", "thinking", "2507"})
_PRECISIONS = {
    "fp32": "fp32", "float32": "fp32",
    "fp16": "fp16", "float16": "fp16", "half": "fp16",
    "bf16": "bf16", "bfloat16": "bf16",
    "fp8": "fp8", "float8": "fp8", "e4m3": "fp8", "fp8e4m3": "fp8",
    "int8": "int8", "w8a8": "int8",
    "fp4": "nvfp4", "nvfp4": "nvfp4",
    "mxfp4": "mxfp4",
    "int4": "int4",
    "w4a16": "w4a16", "awq": "w4a16",
}  # fmt: skip
# After a precision: how it was quantised, e.g. FP8-dynamic.
_MANNERS = frozenset({"dynamic", "dyn", "block", "static"})

_MAKERS = frozenset({"nvidia", "amd", "intel", "google", "aws", "instinct"})

_ENGINES = {
    "tensorrt-llm": "tensorrt-llm", "tensorrt_llm": "tensorrt-llm", "tensorrt llm": "tensorrt-llm",
    "trt-llm": "tensorrt-llm", "trtllm": "tensorrt-llm",
    "vllm": "vllm", "sglang": "sglang", "lmdeploy": "lmdeploy", "llama.cpp": "llama.cpp",
    "text-generation-inference": "tgi", "tgi": "tgi", "tensorrt": "tensorrt",
}  # fmt: skip


def normalise(name: str) -> str:
    """Spelling that counts: lower case, runs of space, ``_``, ``-`` and ``/`` as one ``-``.

    >>> normalise("deepseek-ai/DeepSeek R1"), normalise("Qwen_3 - 8B")
    ('deepseek-ai-deepseek-r1', 'qwen-3-8b')
    """
    return "-".join(name.lower().translate(_SEPARATORS).split())


def canonical_precision(text: str) -> str | None:
    """Number format a word stands for, None when it is none. ``fp4`` is NVIDIA's ``nvfp4``.

    >>> canonical_precision("bfloat16"), canonical_precision("FP4"), canonical_precision("UNSET")
    ('bf16', 'nvfp4', None)
    """
    return _PRECISIONS.get(normalise(text).replace("-", ""))


def precision_hint(text: str) -> str | None:
    """Number format that a model's name carries, None when it carries none.

    >>> precision_hint("nvidia/DeepSeek-R1-0528-NVFP4-v2"), precision_hint("llama3_1-70b-fp8_dyn")
    ('nvfp4', 'fp8')
    """
    for token in reversed(normalise(_without_organisation(text)).replace(".", "-").split("-")):
        if token in _PRECISIONS:
            return _PRECISIONS[token]
    return None


def canonical_engine(text: str) -> tuple[str, str] | None:
    """Serving engine and its version (empty when not given) that a text names first, None when it names none.

    >>> canonical_engine("TensorRT-LLM v1.0"), canonical_engine("trtllm")
    (('tensorrt-llm', '1.0'), ('tensorrt-llm', ''))
    """
    lowered = text[:_LONGEST].lower()
    found = [(lowered.find(alias), -len(alias), alias) for alias in _ENGINES if alias in lowered]
    if not found:
        return None
    start, _, alias = min(found)
    rest = lowered[start + len(alias) :].lstrip(" -_=:@").removeprefix("v")
    version = rest.replace(",", " ").replace(";", " ").replace(")", " ").split(" ", 1)[0]
    return _ENGINES[alias], version if version[:1].isdigit() else ""


def _without_organisation(text: str) -> str:
    return text.rstrip("/").rsplit("/", 1)[-1]


def _without_maker(text: str) -> str:
    """Text without the chip maker in front, empty where there is none."""
    words = text.replace("-", " ").replace("_", " ").split()
    return text.split(words[0], 1)[1].lstrip(" -_") if len(words) > 1 and words[0].lower() in _MAKERS else ""


def _drop_suffix(tokens: list[str]) -> list[str] | None:
    """Tokens without their last suffix, None when the last is no suffix or nothing would be left."""
    if len(tokens) < 2:
        return None
    if tokens[-1] in _TUNING or tokens[-1] in _PRECISIONS:
        return tokens[:-1]
    if tokens[-1] in _MANNERS and tokens[-2] in _PRECISIONS and len(tokens) > 2:
        return tokens[:-2]
    return None


def _loose(normalised: str) -> str:
    """Spelling with a break between letters and digits, and without a ``v`` before a number."""
    spaced: list[str] = []
    before = ""
    for character in normalised:
        if character.isdecimal() and before.isalpha():
            spaced.append("-")
        spaced.append(character)
        before = character
    words = "".join(spaced).split("-")
    following = [*words[1:], ""]
    kept = (word for word, after in zip(words, following, strict=True) if word != "v" or not after[:1].isdecimal())
    return "-".join(kept)


def _dotted(text: str) -> str:
    """Text with ``_`` between digits read as a decimal point: ``3_1`` is ``3.1``."""
    if "_" not in text:
        return text
    characters = list(text)
    for index in range(1, len(characters) - 1):
        neighbours = text[index - 1] + text[index + 1]
        if characters[index] == "_" and neighbours.isdecimal():
            characters[index] = "."
    return "".join(characters)


class Names:
    """Ids of one kind of entry and the names they are known under.

    >>> names = Names([("llama-3.1-8b", ["meta-llama/Meta-Llama-3.1-8B"])])
    >>> names.resolve("LLaMA v3.1 8B"), names.resolve("someone/llama-3.1-8b-it-FP8")
    ('llama-3.1-8b', 'llama-3.1-8b')
    >>> names.resolve("Llama 3.1 9B"), names.nearest("Llama 3.1 9B")
    (None, ['llama-3.1-8b'])
    """

    def __init__(self, entries: Iterable[tuple[str, Iterable[str]]]) -> None:
        """Take ids with their aliases. An id wins over an equal alias, a later alias over an earlier one."""
        self._written: dict[str, str] = {}
        ids: list[str] = []
        for entry_id, aliases in entries:
            ids.append(entry_id)
            self._written.update(dict.fromkeys(aliases, entry_id))
        self._written.update({entry_id: entry_id for entry_id in ids})
        self._exact: dict[str, str] | None = None
        self._loosely: dict[str, str | None] | None = None

    @classmethod
    def from_aliases(cls, aliases: Mapping[str, str]) -> Names:
        """Take a ready-made table from name as written to id, each id being a name of its own too."""
        names = cls(())
        names._written = {**aliases, **{entry_id: entry_id for entry_id in aliases.values()}}
        return names

    def ids(self) -> frozenset[str]:
        """Every id."""
        return frozenset(self._written.values())

    def resolve(self, text: str) -> str | None:
        """Id that a name stands for, None when there is none or a loose spelling fits several."""
        if text in self._written:
            return self._written[text]
        if len(text) > _LONGEST:
            return None
        exact = self._exact_names()
        found = exact.get(normalise(text))
        bare = _without_organisation(text)
        found = found or self._by_suffixes(normalise(bare)) or self._by_suffixes(normalise(_dotted(bare)))
        rest = _without_maker(text)
        return found or (self.resolve(rest) if rest else None)

    def nearest(self, text: str, n: int = 3) -> list[str]:
        """Up to ``n`` ids with a name most like ``text``, best first."""
        from difflib import get_close_matches

        exact = self._exact_names()
        wanted = normalise(_without_organisation(text[:_LONGEST]))
        wanted = normalise(_without_maker(wanted)) or wanted
        close = get_close_matches(wanted, exact, n=max(4 * n, 1), cutoff=0.5)
        return list(dict.fromkeys(exact[name] for name in close))[: max(n, 0)]

    def _by_suffixes(self, normalised: str) -> str | None:
        tokens: list[str] | None = normalised.split("-")
        while tokens:
            name = "-".join(tokens)
            found = self._exact_names().get(name) or self._loose_names().get(_loose(name))
            if found:
                return found
            tokens = _drop_suffix(tokens)
        return None

    def _exact_names(self) -> dict[str, str]:
        """Ids by normalised name, as they are and without the organisation; built when first needed."""
        if self._exact is None:
            names = {normalise(name): entry_id for name, entry_id in self._written.items()}
            names.update({normalise(entry_id): entry_id for entry_id in self.ids()})
            names.pop("", None)
            bare: dict[str, str | None] = {}
            for name, entry_id in self._written.items():
                if "/" in name:
                    _add_unless_ambiguous(bare, normalise(_without_organisation(name)), entry_id)
            self._exact = {name: entry_id for name, entry_id in bare.items() if name and entry_id} | names
        return self._exact

    def _loose_names(self) -> dict[str, str | None]:
        """Ids by loose spelling, None where it fits several entries."""
        if self._loosely is None:
            self._loosely = {}
            for name, entry_id in self._written.items():
                for spelling in {name, _without_organisation(name)}:
                    _add_unless_ambiguous(self._loosely, _loose(normalise(spelling)), entry_id)
                    if (dotted := _dotted(spelling)) != spelling:
                        _add_unless_ambiguous(self._loosely, _loose(normalise(dotted)), entry_id)
        return self._loosely


def _add_unless_ambiguous(names: dict[str, str | None], name: str, entry_id: str) -> None:
    if names.setdefault(name, entry_id) != entry_id:
        names[name] = None  # two entries: not for a guess to decide
