"""LiteLLM's own Router behind JSON lines; runs in an environment of its own that has LiteLLM's package and nothing of ours.

Started with ``{"urls", "model", "prompt", "patience_s"}``; a request: ``{"id", "streamed"}``; a reply:
``{"id", "text", "first", "whole"}``, times in seconds, null for what did not come.
"""

import asyncio
import json
import os
import sys
import time


def make_router(what):
    from litellm import Router

    models = [
        {
            "model_name": what["model"],
            "litellm_params": {"model": f"openai/{what['model']}", "api_base": url, "api_key": "none"},
            "model_info": {"id": f"p{number}"},
        }
        for number, url in enumerate(what["urls"])
    ]
    # As its documentation recommends for production; all else is its default.
    return Router(model_list=models, routing_strategy="simple-shuffle", num_retries=3, timeout=what["patience_s"])


async def ask(router, what, order, say):
    began = time.monotonic()
    pieces, first, whole = [], None, None
    try:
        async with asyncio.timeout(what["patience_s"]):
            messages = [{"role": "user", "content": what["prompt"]}]
            streamed = order["streamed"]
            reply = await router.acompletion(model=what["model"], messages=messages, max_tokens=64, stream=streamed)
            if streamed:
                async for chunk in reply:
                    text = chunk.choices[0].delta.content if chunk.choices else None
                    if text:
                        first = first or time.monotonic() - began
                        pieces.append(text)
            else:
                pieces.append(reply.choices[0].message.content or "")
            whole = time.monotonic() - began
    except Exception:
        pass
    say({"id": order["id"], "text": "".join(pieces), "first": first, "whole": whole})


async def main():
    # What a library prints must not stand between two replies.
    replies, sys.stdout = os.fdopen(os.dup(1), "w", encoding="utf-8"), sys.stderr
    os.dup2(2, 1)

    def say(reply):
        replies.write(json.dumps(reply) + "\n")
        replies.flush()

    what = json.loads(sys.argv[1])
    router = make_router(what)
    say({"ready": True})
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    tasks = set()
    while line := await reader.readline():
        task = asyncio.create_task(ask(router, what, json.loads(line), say))
        tasks.add(task)
        task.add_done_callback(tasks.discard)
    if tasks:
        await asyncio.wait(tasks)


if __name__ == "__main__":
    asyncio.run(main())
