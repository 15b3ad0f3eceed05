"""How a model without a chat template of its own is made to hold a conversation.

Such a file is a *base* model: it continues text and was never taught to follow instructions. Left to
llama.cpp's default (ChatML) it answers with noise. Shown a page of questions with good answers it mostly goes
on with a good answer to the next question. The embedded model is one of these, and small (270 million
parameters): expect short, simple answers, right for well-known facts, often wrong for arithmetic, translation
and anything rare; system prompts are followed only sometimes. The page, the order of its examples and the
sampling were chosen by trying sixteen everyday prompts (facts, greetings, code, a summary, several turns,
system prompts) on that model. It costs about 190 prompt tokens, once per slot: the server keeps the prefix.
"""

from collections.abc import Mapping, Sequence

_EXAMPLES = (
    (
        "Write a Python function that returns the square of a number.",
        "```python\ndef square(x):\n    return x * x\n```",
    ),
    (
        "What is a volcano?",
        "A volcano is an opening in the crust of the Earth. Hot lava, ash and gases come out of it.",
    ),
    ("Translate 'thank you' into German.", "'Thank you' in German is 'Danke'."),
    ("Who painted the Mona Lisa?", "Leonardo da Vinci painted the Mona Lisa."),
    ("What is the capital of Japan?", "The capital of Japan is Tokyo."),
    ("Hi!", "Hello! How can I help you today?"),
    (
        "Who are you?",
        "I am a small language model. I can answer simple questions and write short texts.",
    ),
)

# A newline after "Answer:" and not a space: the answer then starts without one, as clients expect it to.
_TURNS = """\
{% for message in messages -%}
{%- if message['role'] == 'assistant' -%}
{{- message['content'] | trim + '\\n\\n' -}}
{%- elif message['role'] == 'user' or message['role'] == 'tool' -%}
{{- 'Question: ' + message['content'] | trim + '\\nAnswer:\\n' -}}
{%- else -%}
{{- message['content'] | trim + '\\n\\n' -}}
{%- endif -%}
{%- endfor -%}"""

# The model goes on with the next question by itself. The longer one first, so that no blank line is left.
STOP: Sequence[str] = ("\n\nQuestion:", "\nQuestion:")

# A small base model repeats itself without end when sampled cold and wanders off when sampled warm.
SAMPLING: Mapping[str, float | int] = {
    "temp": 0.2,
    "penalty_repeat": 1.05,
    "penalty_freq": 0.12,
    "penalty_last_n": 256,
    "dry_multiplier": 0.6,
    "dry_allowed_length": 4,
    "dry_penalty_last_n": 256,
}

# What is left of a loop is ended here; a client that asks for more gets more.
ANSWER_TOKENS = 512


def _page() -> str:
    lines = ["Questions and good answers.", ""]
    for question, answer in _EXAMPLES:
        lines += [f"Question: {question}", "Answer:", answer, ""]
    return "\n".join(lines) + "\n"


TEMPLATE = _page() + _TURNS
