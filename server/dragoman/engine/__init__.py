"""The embedded model's own process: one per user and model file, shared by all of that user's servers.

``python -m dragoman.engine`` starts it; `client` is what the other side of its socket uses; `protocol` says what they speak.
It consists of two processes, because llama.cpp holds the interpreter's lock while it loads:
`front` owns the socket and always answers, `worker` holds the model and dies with its front.
Nothing here imports another room, and only `worker` imports the inference library.
"""
