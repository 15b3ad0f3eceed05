"""A real llama-server in a process of its own: `python llama_process.py MODEL PORT [embeddings]`."""

import signal
import sys

import xllamacpp

params = xllamacpp.CommonParams()
params.model.path = sys.argv[1]
params.model_alias = {"gemma"}
params.hostnames = ["127.0.0.1"]
params.port = int(sys.argv[2])
params.n_ctx = 2048
params.n_parallel = 2
params.cpuparams.n_threads = 1
if "embeddings" in sys.argv[3:]:
    params.embedding = True
    params.pooling_type = 1  # mean, as LLAMA_POOLING_TYPE_MEAN of llama.h
server = xllamacpp.Server(params)
print(server.listening_address, flush=True)
signal.pause()
