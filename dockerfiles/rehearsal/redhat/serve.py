"""Stands in for `vllm serve` in a rehearsal: its documented options, its health, streamed completions of nothing."""

import json
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import arguments
import refusals

PORT = 8000
LOADING_S = 1.5
TOKENS = (" to", " ken")
FIELDS = {"model", "prompt", "max_tokens", "min_tokens", "temperature", "stream", "top_p", "top_k", "seed"}
STARTED = time.monotonic()


class Handler(BaseHTTPRequestHandler):
    """The part of the OpenAI-compatible interface that the published clients use."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    model = ""

    def log_message(self, *_: object) -> None:
        """Say nothing of every request."""

    def do_GET(self) -> None:
        """Health and models; loading a model takes a while."""
        if self.path == "/health":
            self._send(200 if time.monotonic() - STARTED > LOADING_S else 503, b"")
        elif self.path == "/v1/models":
            self._send(200, json.dumps({"object": "list", "data": [{"id": self.model}]}).encode())
        else:
            self._send(404, b"{}")

    def do_POST(self) -> None:
        """One prompt as a stream of events, or several at once."""
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        unknown = sorted(set(body) - FIELDS)
        if self.path != "/v1/completions" or unknown:
            print(f"REHEARSAL REFUSED: {self.path} with {', '.join(unknown) or 'nothing unusual'}", flush=True)
            self._send(400, b"{}")
        elif body["model"] != self.model:
            self._send(404, json.dumps({"message": f"The model `{body['model']}` does not exist."}).encode())
        elif body.get("stream"):
            self._stream()
        else:
            prompts = body["prompt"] if isinstance(body["prompt"], list) else [body["prompt"]]
            choices = [{"index": index, "text": "".join(TOKENS)} for index in range(len(prompts))]
            self._send(200, json.dumps({"choices": choices}).encode())

    def _stream(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for text in TOKENS:
            self._event({"choices": [{"text": text, "finish_reason": None, "stop_reason": None}]})
        last = json.dumps({"choices": [{"text": "", "finish_reason": "length", "stop_reason": None}]})
        self._chunk(f"data: {last}\n\ndata: [DONE]\n\n".encode())
        self.wfile.write(b"0\r\n\r\n")

    def _event(self, content: "dict[str, object]") -> None:
        self._chunk(f"data: {json.dumps(content)}\n\n".encode())

    def _chunk(self, content: bytes) -> None:
        self.wfile.write(f"{len(content):x}\r\n".encode() + content + b"\r\n")

    def _send(self, status: int, content: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


class Server(ThreadingHTTPServer):
    """Many clients at once, as one asks in Server."""

    request_queue_size = 1024
    daemon_threads = True


def main(words: "list[str]") -> None:
    """`vllm serve MODEL [option]...`; it listens on every address, as vLLM does unless told otherwise."""
    if words[:1] != ["serve"]:
        refusals.refuse(f"vllm {' '.join(words)}: only `vllm serve` is documented")
    found = arguments.read("vllm serve", words[1:], ("MODEL",))
    arguments.must_exist("vllm serve", "the model", found["MODEL"])
    arguments.say("vllm serve")
    Handler.model = found["MODEL"]
    Server(("0.0.0.0", PORT), Handler).serve_forever()  # noqa: S104 - as vLLM does


if __name__ == "__main__":
    main(sys.argv[1:])
