"""aiocoap over tinydtls: tinydtls_client.py IDENTITY KEY '[["GET", "coaps://...", ""], ...]' prints "2.05 payload" per answer, or FAILED."""

import asyncio
import json
import sys

import aiocoap


async def main():
    identity, key, requests = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
    context = await aiocoap.Context.create_client_context(transports=["tinydtls"])
    context.client_credentials.load_from_dict(
        {"coaps://*": {"dtls": {"psk": {"ascii": key}, "client-identity": {"ascii": identity}}}}
    )
    for method, uri, payload in requests:
        message = aiocoap.Message(code=getattr(aiocoap, method), uri=uri, payload=payload.encode())
        try:
            answer = await asyncio.wait_for(context.request(message).response, 8)
        except Exception as error:
            print(repr(error), file=sys.stderr)
            print("FAILED", flush=True)
            break
        print(str(answer.code).split()[0], answer.payload.decode(), flush=True)
    await asyncio.wait_for(context.shutdown(), 3)


asyncio.run(main())
