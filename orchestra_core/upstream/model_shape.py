"""The shape of a model from its metadata, as GGUF files hold it and Ollama's `/api/show` repeats it.

Keys: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md; which layers look at a window only: src/models of
llama.cpp. Whatever is not known there is taken to attend to everything, which needs the most memory.
"""

from collections.abc import Mapping, Sequence

from orchestra_core.domain.memory import Shape

_F16 = 2
_LAYERS = 4096
_WIDTH = 1 << 24
# Every n-th layer attends to the whole context, the others to the window (`set_swa_pattern` of llama.cpp).
_PATTERNS = {"gemma2": 2, "gemma3": 6, "gemma3n": 5, "cohere2": 4, "exaone4": 4, "gpt-oss": 2, "olmo2": 4}


def shape_of(facts: Mapping[str, object], weights: int | None) -> Shape | None:
    """`facts` by their full keys, arrays as sequences; None where they do not say what the cache takes."""
    if not weights:
        return None
    reader = _Facts(facts)
    layers = reader.count("block_count", most=_LAYERS)
    if layers is None:
        return None
    embedding = reader.count("embedding_length") or 0
    if facts.get(f"{reader.architecture}.attention.causal") is False:
        return Shape(weights, layers=layers, embedding=embedding, vocabulary=reader.vocabulary())
    cache = reader.cache(layers, embedding)
    if cache is None:
        return None
    window = reader.count("attention.sliding_window") or 0
    return Shape(
        weights=weights,
        cache_per_token=cache[0],
        window_per_token=cache[1],
        window=window if cache[1] else 0,
        layers=layers,
        embedding=embedding,
        vocabulary=reader.vocabulary(),
    )


class _Facts:
    def __init__(self, facts: Mapping[str, object]) -> None:
        self.architecture = str(facts.get("general.architecture", "unknown"))
        self._facts = facts

    def _get(self, key: str) -> object:
        return self._facts.get(f"{self.architecture}.{key}")

    def count(self, key: str, *, most: int = _WIDTH) -> int | None:
        return _count(self._get(key), most)

    def vocabulary(self) -> int:
        tokens = self._facts.get("tokenizer.ggml.tokens")
        listed = len(tokens) if isinstance(tokens, Sequence) and not isinstance(tokens, str) else 0
        return listed or self.count("vocab_size") or 0

    def cache(self, layers: int, embedding: int) -> tuple[int, int] | None:
        """Bytes of keys and values per token, in layers of the whole context and in those of a window."""
        heads = self._per_layer("attention.head_count", layers)
        keyed = self._per_layer("attention.head_count_kv", layers) or heads
        if heads is None or keyed is None:
            return None
        whole = windowed = 0
        own = max(0, layers - (self.count("attention.shared_kv_layers", most=_LAYERS) or 0))
        for layer in range(own):
            narrow = self._is_windowed(layer)
            width = embedding // heads[layer] if heads[layer] else 0
            taken = (
                keyed[layer]
                * (self._width("key", narrow, width) + self._width("value", narrow, width))
                * _F16
            )
            if narrow:
                windowed += taken
            else:
                whole += taken if self._attends(layer) else 0
        return whole, windowed

    def _width(self, what: str, narrow: bool, otherwise: int) -> int:
        narrower = self.count(f"attention.{what}_length_swa") if narrow else None
        return narrower or self.count(f"attention.{what}_length") or otherwise

    def _per_layer(self, key: str, layers: int) -> Sequence[int] | None:
        """One number for all layers, or a list of one for each; 0 is a layer without attention."""
        value = self._get(key)
        if isinstance(value, Sequence) and not isinstance(value, str) and len(value) >= layers:
            return [_count(one, _WIDTH) or 0 for one in value]
        one = _count(value, _WIDTH)
        return None if one is None else [one] * layers

    def _is_windowed(self, layer: int) -> bool:
        if not self.count("attention.sliding_window"):
            return False
        pattern = self._get("attention.sliding_window_pattern")
        if isinstance(pattern, Sequence) and not isinstance(pattern, str):
            return bool(pattern) and bool(pattern[layer % len(pattern)])  # llama.cpp repeats a short one
        every = _count(pattern, _LAYERS) or _PATTERNS.get(self.architecture)
        return every is not None and layer % every != every - 1

    def _attends(self, layer: int) -> bool:
        """Whether it is no layer of a recurrent kind, as most of a hybrid model are."""
        every = self.count("full_attention_interval", most=_LAYERS)
        return every is None or layer % every == every - 1


def _count(value: object, most: int) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 < value <= most else None
