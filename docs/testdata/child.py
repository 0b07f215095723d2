# A child of the profile init, written from protocol.md alone: what Appendix A says, in Python.
import array, json, os, socket, struct, sys

fd = int(os.environ.pop("HANDFAST_SOCKET"))
os.set_inheritable(fd, False)
sock = socket.socket(fileno=fd)
assert sock.family == socket.AF_UNIX and sock.type == socket.SOCK_SEQPACKET
HELLO, HELLO_ACK, CONFIG, CONFIG_OK, REQUEST, REPLY, NOTE, ERROR, EXEC, CANCEL = range(1, 11)
sent = received = 0


def encode(value):
    return json.dumps(value, separators=(",", ":")).encode() if value is not ... else b""


def send(kind, value=..., re=0, fds=()):
    global sent
    sent += 1
    payload = encode(value)
    header = struct.pack(">2sBBBBHHHI", b"SY", 1, kind, 0, len(fds), sent, re, 0, len(payload))
    rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else []
    sock.sendmsg([header + payload], rights, socket.MSG_NOSIGNAL)
    return sent


def fail(code, errno, op, path):
    nodes = [{"type": "path", "op": op, "path": path}, {"parent": 1, "type": "errno", "errno": errno}]
    send(ERROR, {"code": code, "role": "child", "nodes": nodes})
    sys.exit(1)


def receive():
    global received
    packet, control, flags, _ = sock.recvmsg(65552, socket.CMSG_SPACE(4 * 253), socket.MSG_CMSG_CLOEXEC)
    if not packet:
        sys.exit(1)
    fds = array.array("i")
    for level, kind, data in control:
        if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
            fds.frombytes(data)
    magic, version, kind, more, nfds, seq, re, reserved, length = struct.unpack(">2sBBBBHHHI", packet[:16])
    received += 1
    assert magic == b"SY" and version == 1 and reserved == 0 and seq == received
    assert length == len(packet) - 16 and nfds == len(fds) and not flags & (socket.MSG_TRUNC | socket.MSG_CTRUNC)
    if kind == CANCEL:
        fail("cancelled", "ECANCELED", "wait", "")
    if kind == ERROR and re == 0:
        sys.exit(1)
    return kind, more & 1, seq, re, packet[16:], list(fds)


def ask(name, arg=None, fds=()):
    number = send(REQUEST, {"name": name, "arg": arg}, fds=fds)
    kind, _, _, re, payload, got = receive()
    if kind == ERROR:
        fail("setup", "EACCES", name, "")
    assert kind == REPLY and re == number
    return json.loads(payload), got


def digest(data):
    h = len(data) * 0x9E3779B97F4A7C15
    for (word,) in struct.iter_unpack("<Q", data + bytes(-len(data) % 8)):
        h = (h ^ word) * 0x9E3779B97F4A7C15 % 2**64
        h = (h << 32 | h >> 32) * 0x9E3779B97F4A7C15 % 2**64
    return "%016x" % h


kind, _, _, _, payload, _ = receive()
hello = json.loads(payload)
assert kind == HELLO and hello["profile"] == "init" and hello["hash"] == sys.argv[1]
send(HELLO_ACK, {"version": 1, "codec": "json", "limits": hello["limits"], "pid": os.getpid()}, re=1)
config, more = b"", True
while more:
    kind, more, seq, _, payload, _ = receive()
    assert kind == CONFIG
    config += payload
send(CONFIG_OK, {"size": len(config), "digest": digest(config)}, re=seq)
process = json.loads(config)["process"]
if process.get("terminal"):
    tty = os.open("/dev/null", os.O_RDWR)
    ask("console", {"path": "/dev/pts/0"}, [tty])
send(NOTE, {"level": "info", "text": "ready to run"})
assert ask("ready")[0]["name"] == "run"
send(EXEC)
try:
    os.execv(process["args"][0], process["args"])
except FileNotFoundError:
    fail("exec", "ENOENT", "execve", process["args"][0])
