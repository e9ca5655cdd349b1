"""An SMTP server that takes everything over TLS and counts: `python -m bench._sink CERT KEY` prints its port.

"STAT" on any connection answers how many messages came and how many recipients came more than once, "SEEN" how many
came to each recipient.
"""

import asyncio
import json
import ssl
import sys
from collections import Counter

import uvloop

seen: Counter[bytes] = Counter()
LONGEST = 1 << 20


class Sink(asyncio.Protocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        self.buffer = bytearray()
        self.in_data = False
        self.recipient = b""
        self.scanned = 0
        transport.write(b"220 sink\r\n")  # type: ignore[attr-defined]

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        out = bytearray()
        while True:
            if self.in_data:
                end = self.buffer.find(b"\r\n.\r\n", max(0, self.scanned - 5))
                if end < 0:
                    self.scanned = len(self.buffer)
                    break
                del self.buffer[: end + 5]
                self.scanned = 0
                self.in_data = False
                seen[self.recipient] += 1
                out += b"250 2.0.0 taken\r\n"
                continue
            end = self.buffer.find(b"\r\n")
            if end < 0:
                break
            line = bytes(self.buffer[:end])
            del self.buffer[: end + 2]
            out += self.answer(line)
        if out:
            self.transport.write(bytes(out))  # type: ignore[attr-defined]

    def answer(self, line: bytes) -> bytes:  # noqa: PLR0911  one case a verb
        verb = line[:4].upper()
        if verb == b"EHLO":
            return b"250-sink\r\n250-PIPELINING\r\n250 ENHANCEDSTATUSCODES\r\n"
        if verb == b"RCPT":
            self.recipient = line[9:-1]
            return b"250 2.1.5 ok\r\n"
        if verb == b"DATA":
            self.in_data = True
            return b"354 go on\r\n"
        if verb == b"STAT":
            stat = {"messages": seen.total(), "recipients": len(seen)}
            return b"250 " + json.dumps(stat).encode() + b"\r\n"
        if verb == b"SEEN":
            return b"250 " + json.dumps({who.decode(): count for who, count in seen.items()}).encode() + b"\r\n"
        if verb == b"QUIT":
            return b"221 bye\r\n"
        return b"250 2.0.0 ok\r\n"


async def main(certificate: str, key: str) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server = await asyncio.get_running_loop().create_server(Sink, "127.0.0.1", 0, ssl=context)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(main(sys.argv[1], sys.argv[2]))
