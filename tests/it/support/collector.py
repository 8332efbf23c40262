"""A collector for tests: takes OTLP over HTTP, reads it with OpenTelemetry's own messages, and keeps a line of JSON for
each span."""

import http.server
import json
import pathlib
import sys

from google.protobuf.json_format import MessageToDict
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

port, kept = int(sys.argv[1]), pathlib.Path(sys.argv[2])


def plain(attributes):
    return {one["key"]: next(iter(one["value"].values())) for one in attributes}


class Collector(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        if self.path != "/v1/traces" or self.headers["content-type"] != "application/x-protobuf":
            self.send_error(400, f"{self.path} {self.headers['content-type']}")
            return
        request = ExportTraceServiceRequest()
        request.ParseFromString(body)
        with kept.open("a") as file:
            for resource in request.resource_spans:
                named = plain(MessageToDict(resource.resource)["attributes"])
                for span in (span for scope in resource.scope_spans for span in scope.spans):
                    line = MessageToDict(span)
                    for name in ("trace_id", "span_id", "parent_span_id"):
                        line[name] = getattr(span, name).hex()
                    line["nanos"] = span.end_time_unix_nano - span.start_time_unix_nano
                    line["attributes"] = plain(line["attributes"])
                    line["resource"] = named
                    line["headers"] = dict(self.headers)
                    file.write(json.dumps(line) + "\n")
        answer = ExportTraceServiceResponse().SerializeToString()
        self.send_response(200)
        self.send_header("content-type", "application/x-protobuf")
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_):
        pass


http.server.ThreadingHTTPServer(("127.0.0.1", port), Collector).serve_forever()
