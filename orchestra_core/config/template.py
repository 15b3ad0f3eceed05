"""The file `config init` writes: every setting at its default, with what it does."""

_TEMPLATE = """\
# AI Model Orchestra Controller.
# `ai-orchestra config check` checks this file, `ai-orchestra config show` tells what is in effect.
# Flags win over the environment, the environment over this file, this file over the defaults shown here.

# log_level = "info"                  # debug, info, warning, error; environment: LOG_LEVEL

[server]
host = "127.0.0.1"                    # this machine only; environment: ORCHESTRATOR_HOST
port = 8080                           # environment: API_PORT or ORCHESTRATOR_API_PORT
# socket = "/run/user/1000/ai-orchestra/engine.sock"    # private socket of console and commands
# grace_seconds = 30                  # running requests may finish this long when the engine stops
# environment = "prod"                # what consoles call this engine, and its color there:
# environment_color = "red"           # red, yellow, green, blue, magenta or cyan
# read_only = true                    # nobody changes anything over the API, only a restart does
# allowed_hosts = ["gateway.lan"]     # names besides this machine's that requests may be addressed to
# cors_origins = ["https://app.example.com"]    # web pages that may ask
# require_key = true                  # without: as soon as there is a key (`ai-orchestra keys create`)

# A key whose token is kept elsewhere; scopes are use, operate and admin, each including the one before.
# [[keys]]
# name = "laptop"
# digest = "sha256:0000000000000000000000000000000000000000000000000000000000000000"    # printf %s "$TOKEN" | sha256sum
# scopes = ["use"]
# requests_per_minute = 600           # without: what [limits] says
# expires = 2027-01-31                # its beginning, UTC; or a time: 2027-01-31T12:00:00Z

[limits]
requests_per_minute = 0               # for each key, and each address without one; 0 is no limit
tokens_per_minute = 0

# [logging]
# access = "access.log"               # a JSON line for each request; relative: under the state directory

[storage]
url = "sqlite:///orchestra.db"        # a relative file is under the data directory (see `config show`);
                                      # "postgresql://user:password@host:5432/orchestra" needs the postgres extra
# retention_days = 400                # requests older than this are removed; what they sum up to is kept
# max_bytes = "20GB"                  # the oldest are removed where the database grows beyond it
# journal_bytes = "256MiB"            # of requests that wait for a database; beyond it they are not recorded
# keep_texts = false                  # also keep prompts and answers, without what looks like a secret
# text_bytes = 65536                  # of each of them
# redis = "redis://127.0.0.1:6379/0"  # answers are kept there instead of in memory; environment: RESOURCE_PORTS_REDIS

[accounting]
currency = "USD"                      # ISO 4217 code; every price and cost is in it
timezone = "UTC"                      # IANA name; whose days, weeks and months are counted
price_per_kwh = 0                     # of the energy that backends with watts use
# usd_rate = 1                        # what a US dollar costs in another currency: published prices are in dollars
# compare_with = "openai/gpt-5"       # savings are against this model; without: against the best one served

# What may be spent. Of hard budgets the worst case is set aside before a request is sent: they are never exceeded.
# [[budgets]]
# name = "team"
# limit = 50.0                        # in the currency of [accounting]; currency = "USD" here must be the same
# period = "month"                    # day, week (from Monday) or month, in the time zone of [accounting]
# kind = "hard"                       # soft: cost weighs more the further spending is ahead of the calendar
# over = "degrade"                    # refuse: what has to be answered by a lower tier is refused instead
# key = "laptop"                      # or task or model, or per = "key" for each key one; without: everything
# alerts = [0.5, 0.8, 1.0]            # shares of the limit to tell of

[cache]
enabled = true                        # answer again what is asked again: temperature 0, embeddings, and on request
memory = "64MB"                       # of answers
max_age_seconds = 3600
entry_bytes = "256KB"                 # of one answer
wait_seconds = 10                     # who asks what is being asked already waits for that answer this long

[recorder]
enabled = true                        # keep the last minutes for `ai-orchestra replay` and `incident`
minutes = 30
bytes = "32MB"                        # on disk, under the state directory; the oldest goes

[discovery]
enabled = true                        # look for local servers on their usual ports

[embedded]
enabled = true                        # serve the small installed model if there are no [[backends]]

# A server that runs models. Repeat the table for each.
# [[backends]]
# name = "box1"
# kind = "ollama"                     # ollama, llamacpp, vllm, openai or managed
# url = "http://127.0.0.1:11434"
# slots = 4                           # requests at once
# memory = "24GB"                     # what models may occupy there
# max_loaded = 3                      # models at once
# device = "gpu:0"                    # whose memory they take, host or gpu:N; without: found out
# weight = 1                          # above 1: preferred among equals
# region = "local"
# cost_per_hour = 0.5                 # of its use, shared by its slots; without: 0 here
# watts = 350                         # drawn in use, at [accounting] price_per_kwh
# timeouts = { first_token = 600 }    # where it needs others than [timeouts]; all but keep_alive

# [[backends]]
# name = "cloud"
# kind = "openai"
# prefill = true                      # goes on from a given beginning of its answer (openai: false, others: true)
# url = "https://api.openai.com/v1"
# api_key_env = "OPENAI_API_KEY"      # name of the variable that holds the key
# models = ["gpt-5-mini"]             # without: all it lists

# Processes that the engine starts and stops by itself, one per loaded model.
# [[backends]]
# name = "mine"
# kind = "managed"
# context = 8192
# parallel = 4                        # requests at once per model
# files = { "qwen3:8b" = "/models/qwen3-8b-q4_k_m.gguf" }

# Overrides of what is found of a model.
# [models."llama3.2:3b"]
# capabilities = ["text_generation", "code_generation"]
# quality = "medium"                  # low, medium or high
# cost_per_million_input = 0.0        # tokens; without: the published price, 0 here, else unknown
# cost_per_million_output = 0.0
# cost_per_million_cached = 0.0       # input that the server had in its cache
# context = 8192
# pinned = true                       # never unloaded by the engine
# group = "large"                     # of a group at most one is loaded where they share memory
# ttl_seconds = 600                   # as in [memory], for this model
# copies = 2                          # backends it may be loaded on at once
# memory = "12GB"                     # not loaded where it would need more

# Models to try, in order, when the choice for a task fails.
[fallbacks]
# code_generation = ["codellama:7b", "llama3.2:3b"]

# What may stand in for a model that a request names; the answer then says so. Without: nothing.
# [fallbacks.models]
# "llama3.3:70b" = ["llama3.2:3b"]

# Seconds a backend may take.
[timeouts]
connect = 5                           # to another machine; to this one at most 1
first_token = 120                     # without any sign of life
between_tokens = 60                   # from one complete event to the next
total = 3600                          # a whole streamed answer
unstreamed = 600                      # a whole answer in one piece
keep_alive = 15                       # a client that waits for a stream gets a comment this often

[resilience]
attempts = 3                          # of one request in all
retry_budget = 0.2                    # retries that fail, of all requests: this share of them and 3 more
continuation = true                   # a stream that dies is continued by another endpoint of its model
retry_non_idempotent = true           # send again when a kept connection turns out to be closed

[queue]
seconds = 30                          # to wait for a slot, at most
per_slot = 8                          # places for each slot of a model; at least 16 a model
total = 512                           # places in the queues of all models

[memory]
evict = 0.85                          # share of memory in use from which idle models are unloaded
# headroom = "1GiB"                   # kept free; without: of the host 8 % or 1 GiB, of a GPU 0.5 GiB
ttl_seconds = 0                       # a model is unloaded this long after its last answer; 0: only to make room
swap_seconds = 30                     # a request that waits this long for room makes a busy model give way
predict = true                        # load models before they are asked for, while memory is calm

[alerts]
# off = ["latency"]                   # memory models backends errors latency breakers budgets journal database disk
resolve_seconds = 60                  # better than its limit for so long, an alert is over
memory_warning = 0.70                 # share of memory in use; the gauges show it too
memory_critical = 0.90
memory_seconds = 30                   # …_seconds: it must be so for so long before it fires
models_seconds = 15                   # no model that can serve
backends_seconds = 30                 # a configured backend is down
errors_warning = 0.10                 # share of requests that fail, of those in the last errors_window seconds
errors_critical = 0.50
errors_window = 60                    # at most 300
errors_requests = 20                  # fewer say nothing
errors_seconds = 10
latency_warning = 2                   # times slower than the endpoint's own baseline
latency_critical = 5
latency_samples = 50                  # answers that make a baseline
latency_seconds = 30
breakers_openings = 3                 # of one breaker, each after it had closed, in breakers_window seconds
breakers_window = 600
journal_warning = 0.25                # share of the room for records that wait for the database
journal_critical = 0.75
journal_seconds = 10
database_seconds = 10                 # the database does not take records
disk_warning = "2GiB"                 # free where the engine writes
disk_critical = "512MiB"
disk_seconds = 30
# command = ["/usr/local/bin/page"]   # run for each alert, without a shell; what it is about is in its environment
command_seconds = 10                  # and then it is ended

# Where alerts are posted to, as JSON, signed with the secret.
# [[webhooks]]
# name = "chat"
# url = "https://hooks.example.com/T123"
# secret_env = "WEBHOOK_SECRET"       # name of the variable that holds the secret
# events = ["alert.fired", "alert.escalated", "alert.resolved"]    # and "alert.eased"
"""


def template() -> str:
    """A commented file that says what the defaults are; it passes `config check` as it is."""
    return _TEMPLATE
