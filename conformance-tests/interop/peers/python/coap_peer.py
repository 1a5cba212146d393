"""aiocoap as a client and a server for tests: one JSON object a line, commands in, answers and notifications out.

  {"id": 1, "do": "open-server", "port": 0}              {"id": 1, "ok": {"server": 1, "port": 40001}}
  {"id": 2, "do": "open-client"}                         {"id": 2, "ok": {"client": 2}}
  {"id": 3, "do": "request", "client": 2, ...}           {"id": 3, "ok": {"code": "2.05", "payload": "..."}}
  {"id": 4, "do": "observe", "client": 2, ...}           {"id": 4, "ok": {...}}, then {"watch": 4, "code": ..., "payload": ...}, {"watch": 4, "ended": "..."}

Bodies and option values are hex. A failed command answers {"id": ..., "error": "..."}.
"""

import asyncio
import json
import os
import random
import socket
import sys

import aiocoap
from aiocoap import Code, Message
from aiocoap.numbers.constants import TransportTuning
from aiocoap.numbers.types import CON

from plugtest_site import plugtest_site

parties = {}
watches = {}
METHODS = {"get": Code.GET, "post": Code.POST, "put": Code.PUT, "delete": Code.DELETE, "fetch": Code.FETCH}


def tell(**fields):
    """A line of JSON. `print` drops the rest of a long line when the process is stopped and continued (SIGSTOP) in the middle of its write."""
    rest = memoryview((json.dumps(fields) + "\n").encode())
    while rest:
        rest = rest[os.write(1, rest) :]


class Quick(TransportTuning):
    ACK_TIMEOUT = 0.4
    ACK_RANDOM_FACTOR = 1.5


class QuickUnreliable(Quick):
    reliability = False


def free_port():
    """Below the range from which systems hand out ports: nobody takes it before the server does."""
    while True:
        port = random.randrange(20_000, 32_000)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            try:
                probe.bind(("127.0.0.1", port))
                return port
            except OSError:
                pass


async def open_server(command):
    site, entries = plugtest_site()
    port = command.get("port") or free_port()
    context = await aiocoap.Context.create_server_context(site, bind=("127.0.0.1", port), transports=["simplesocketserver"])
    parties[command["id"]] = (context, entries)
    return {"server": command["id"], "port": port}


async def open_client(command):
    context = await aiocoap.Context.create_client_context(transports=["simple6"])
    parties[command["id"]] = (context, {})
    return {"client": command["id"]}


async def close(command):
    context, _ = parties.pop(command["party"])
    await context.shutdown()
    return {}


def entry_of(command):
    return parties[command["server"]][1][command["path"]]


async def change(command):
    entry_of(command).change(bytes.fromhex(command["body"]))
    return {}


async def end(command):
    entry_of(command).end(Code(command["code"]))
    return {}


async def observers(command):
    return {"count": entry_of(command).observers()}


async def compose(context, command):
    message = Message(code=METHODS[command["method"]], uri=command["uri"], payload=bytes.fromhex(command.get("payload", "")))
    message.transport_tuning = Quick() if command.get("confirmable", True) else QuickUnreliable()
    for number, value in command.get("options", []):
        message.opt.add_option(aiocoap.OptionNumber(number).create_option(decode=bytes.fromhex(value)))
    if "blockSize" in command:
        await context.find_remote_and_interface(message)
        exponent = command["blockSize"].bit_length() - 5
        message.remote.maximum_block_size_exp = exponent
        if command["method"] in ("get", "fetch"):
            message.opt.block2 = (0, False, exponent)
    return message


def use_token(context, token):
    """The token of the next request, which aiocoap otherwise counts by itself."""
    manager = context.request_interfaces[0]
    counted = manager.next_token

    def once():
        manager.next_token = counted
        return token

    manager.next_token = once


def shown(message):
    options = [[int(option.number), option.encode().hex()] for option in message.opt.option_list()]
    return {"code": message.code.dotted, "payload": message.payload.hex(), "options": options}


async def request(command):
    context, _ = parties[command["client"]]
    message = await compose(context, command)
    if "token" in command:
        use_token(context, bytes.fromhex(command["token"]))
    return shown(await context.request(message).response)


async def observe(command):
    context, _ = parties[command["client"]]
    message = await compose(context, command)
    message.opt.observe = 0
    if "token" in command:
        use_token(context, bytes.fromhex(command["token"]))
    asked = context.request(message)
    first = await asked.response
    watches[command["id"]] = asked

    async def listen():
        try:
            async for notification in asked.observation:
                tell(watch=command["id"], **shown(notification))
            tell(watch=command["id"], ended="by the server")
        except aiocoap.error.Error as error:
            tell(watch=command["id"], ended=repr(error))

    asked.listener = asyncio.create_task(listen())
    await asyncio.sleep(0)
    return shown(first)


async def forget(command):
    """The next notification is answered RST."""
    asked = watches.pop(command["watch"])
    asked.listener.cancel()
    if not asked.observation.cancelled:
        asked.observation.cancel()
    await asyncio.sleep(0)
    return {}


async def ping(command):
    """An empty confirmable message; aiocoap tells of the RST by calling the monitor."""
    context, _ = parties[command["client"]]
    somewhere = Message(code=Code.GET, uri=command["uri"])
    await context.find_remote_and_interface(somewhere)
    layer = context.request_interfaces[0].token_interface
    message = Message(code=Code.EMPTY, _mtype=CON, _mid=layer._next_message_id())
    message.remote = somewhere.remote
    rejected = asyncio.get_running_loop().create_future()
    layer._send_initially(message, lambda: rejected.set_result(True))
    await asyncio.wait_for(rejected, 5)
    return {}


COMMANDS = {
    "open-server": open_server,
    "open-client": open_client,
    "close": close,
    "change": change,
    "end": end,
    "observers": observers,
    "request": request,
    "observe": observe,
    "forget": forget,
    "ping": ping,
}


async def serve(command):
    try:
        tell(id=command["id"], ok=await COMMANDS[command["do"]](command))
    except Exception as error:  # told to the test, which decides
        tell(id=command["id"], error=repr(error))


async def main():
    reader = asyncio.StreamReader(limit=1 << 24)
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    running = set()
    tell(ready=True, aiocoap=aiocoap.meta.version)
    while line := await reader.readline():
        task = asyncio.create_task(serve(json.loads(line)))
        running.add(task)
        task.add_done_callback(running.discard)


asyncio.run(main())
