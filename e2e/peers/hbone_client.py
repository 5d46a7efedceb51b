"""An HBONE client made of Python's ssl and h2, independent of Clearmesh's own code.

Reads one JSON object from standard input, performs the call, writes one JSON object to standard output.

Input   host, port            where to dial
        cert, key, ca         PEM paths; cert and key may be missing (no client certificate)
        alpn                  list, default ["h2"]; [] offers none
        maxVersion            "1.2" or "1.3" (default)
        ciphers12             OpenSSL cipher list for TLS 1.2, optional
        streams               list of {method, authority, headers: [[name, value]], body, waitForData, sniffEmpty}
        raw                   hex bytes sent after the handshake instead of HTTP/2
        timeout               seconds, default 5

Output  connected, tls {version, cipher, alpn, peerUris}, alert (text), closed, settings, streams
        [{status, headers, ended, reset, data}], goaway
"""
import json
import socket
import ssl
import sys
import time

import h2.config
import h2.connection
import h2.events
import h2.settings


def context_for(call):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    # The server's identity is a SPIFFE URI and no hostname; its chain is still verified against the mesh root.
    context.check_hostname = False
    context.load_verify_locations(call["ca"])
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.maximum_version = ssl.TLSVersion.TLSv1_2 if call.get("maxVersion") == "1.2" else ssl.TLSVersion.TLSv1_3
    if call.get("cert"):
        context.load_cert_chain(call["cert"], call["key"])
    alpn = call.get("alpn", ["h2"])
    if alpn:
        context.set_alpn_protocols(alpn)
    return context


def peer_uris(tls):
    return [value for kind, value in tls.getpeercert().get("subjectAltName", ()) if kind == "URI"]


def header_text(headers):
    return [[name.decode(), value.decode()] for name, value in headers]


def open_streams(connection, streams):
    opened = {}
    for stream in streams:
        identifier = connection.get_next_available_stream_id()
        headers = [(":method", stream.get("method", "CONNECT"))]
        if headers[0][1] != "CONNECT":
            headers += [(":scheme", "https"), (":path", "/")]
        if stream.get("authority") is not None:
            headers.append((":authority", stream["authority"]))
        headers += [tuple(pair) for pair in stream.get("headers", [])]
        connection.send_headers(identifier, headers)
        opened[identifier] = {"status": None, "headers": [], "ended": False, "reset": None, "data": "", "_spec": stream, "_sent": False}
    return opened


def apply(event, connection, streams, result):
    stream = streams.get(getattr(event, "stream_id", None))
    if isinstance(event, h2.events.RemoteSettingsChanged):
        result["settings"].update({int(key): value.new_value for key, value in event.changed_settings.items()})
    elif isinstance(event, h2.events.ConnectionTerminated):
        result["goaway"] = {"code": int(event.error_code), "last": event.last_stream_id}
    elif stream is None:
        return
    elif isinstance(event, h2.events.ResponseReceived):
        stream["headers"] = header_text(event.headers)
        stream["status"] = int(dict(stream["headers"])[":status"])
    elif isinstance(event, h2.events.DataReceived):
        stream["data"] += event.data.decode("latin-1")
        connection.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
    elif isinstance(event, h2.events.StreamEnded):
        stream["ended"] = True
    elif isinstance(event, h2.events.StreamReset):
        stream["reset"] = int(event.error_code)


def send_bodies(connection, streams):
    for identifier, stream in streams.items():
        if stream["status"] == 200 and not stream["_sent"] and stream["_spec"].get("body") is not None:
            stream["_sent"] = True
            connection.send_data(identifier, stream["_spec"]["body"].encode(), end_stream=stream["_spec"].get("end", True))


def finished(streams):
    return all(
        stream["ended"] or stream["reset"] is not None or (stream["_spec"].get("waitForData") and stream["data"])
        for stream in streams.values()
    )


def speak(tls, call, result):
    configuration = h2.config.H2Configuration(client_side=True, validate_outbound_headers=False, header_encoding=None)
    connection = h2.connection.H2Connection(configuration)
    connection.initiate_connection()
    streams = open_streams(connection, call["streams"])
    tls.sendall(connection.data_to_send())
    deadline = time.monotonic() + call.get("timeout", 5)
    while time.monotonic() < deadline and not finished(streams):
        tls.settimeout(max(0.01, deadline - time.monotonic()))
        data = tls.recv(65536)
        if not data:
            result["closed"] = True
            break
        for event in connection.receive_data(data):
            apply(event, connection, streams, result)
        send_bodies(connection, streams)
        tls.sendall(connection.data_to_send())
    result["streams"] = [{k: v for k, v in stream.items() if not k.startswith("_")} for stream in streams.values()]


def speak_raw(tls, call, result):
    tls.sendall(bytes.fromhex(call["raw"]))
    deadline = time.monotonic() + call.get("timeout", 5)
    received = b""
    while time.monotonic() < deadline:
        tls.settimeout(max(0.01, deadline - time.monotonic()))
        data = tls.recv(65536)
        if not data:
            result["closed"] = True
            break
        received += data
    result["received"] = received.hex()


def main():
    call = json.load(sys.stdin)
    result = {"connected": False, "tls": None, "alert": None, "closed": False, "settings": {}, "streams": [], "goaway": None}
    try:
        plain = socket.create_connection((call["host"], call["port"]), timeout=call.get("timeout", 5))
        result["connected"] = True
        with context_for(call).wrap_socket(plain) as tls:
            result["tls"] = {"version": tls.version(), "cipher": tls.cipher()[0], "alpn": tls.selected_alpn_protocol(), "peerUris": peer_uris(tls)}
            (speak_raw if "raw" in call else speak)(tls, call, result)
    except ssl.SSLError as error:
        result["alert"] = error.reason or str(error)
        result["closed"] = True
    except (ConnectionResetError, BrokenPipeError) as error:
        result["closed"] = True
        result["error"] = type(error).__name__
    except (TimeoutError, OSError) as error:
        result["error"] = type(error).__name__
    json.dump(result, sys.stdout)


main()
