#!/usr/bin/env python3
"""A child of the handfast protocol, profile init, written from docs/protocol.md with the standard library alone. What it cannot do it refuses by name."""
import array, base64, ctypes, errno, fcntl, json, os, select, signal, socket, struct, sys, termios
import warnings  # for execvpe, which would look for it when the old root is gone

HELLO, HELLO_ACK, CONFIG, CONFIG_OK, REQUEST, REPLY, NOTE, ERROR, EXEC, CANCEL = range(1, 11)
MORE, SKIPPABLE = 1, 2
HEADER = struct.Struct(">2sBBBBHHHI")
MAX_FRAME, MAX_FDS, MAX_VALUES = 65536, 253, 262144
DEFAULTS = {"control": 4096, "error": 32768, "fragment": 32768, "message": 65536, "config": 4 << 20, "notes": 256, "frames": 4096, "depth": 32}
FLOORS = {"control": 1024, "error": 1024, "fragment": 1024, "message": 1024, "config": 1024, "notes": 1, "frames": 16, "depth": 4}
BITS = {"notes": 16, "frames": 16, "depth": 8}
HASH = "2a171a28ada5fdca"  # of the profile init, section 8

class Refuse(Exception):  # a failure of this side or a violation by the parent, with its code for ERROR
    def __init__(self, code, text, op="", path="", number=0):
        super().__init__(text)
        self.code, self.op, self.path, self.number = code, op, path, number
class Gone(Exception): pass  # the parent has ended: there is nobody to tell
def digest(data):
    h = len(data) * 0x9E3779B97F4A7C15
    for (word,) in struct.iter_unpack("<Q", data + bytes(-len(data) % 8)):
        h = (h ^ word) * 0x9E3779B97F4A7C15 % 2**64
        h = (h << 32 | h >> 32) * 0x9E3779B97F4A7C15 % 2**64
    return "%016x" % h

# --- the data model, section 5 ---
def check_name(name, seen):
    if name.startswith("$"):
        raise Refuse("decode", "the name %r is reserved" % name[:40])
    if name in seen:
        raise Refuse("decode", "the name %r stands twice" % name[:40])
def check_depth(value, depth, count):
    count[0] += 1
    if count[0] > MAX_VALUES:
        raise Refuse("limit", "too many values")
    if isinstance(value, (list, dict)):
        if depth == 0:
            raise Refuse("limit", "nested too deep")
        for v in value.values() if isinstance(value, dict) else value:
            check_depth(v, depth - 1, count)
    elif isinstance(value, int) and not isinstance(value, bool) and not -(2**63) <= value < 2**64:
        raise Refuse("decode", "an integer is out of range")
    elif isinstance(value, str):
        value.encode()  # half a surrogate pair is no text
def json_object(pairs):
    if len(pairs) == 1 and pairs[0][0] == "$bytes":
        text = pairs[0][1]
        data = base64.b64decode(text, validate=True) if isinstance(text, str) else None
        if data is None or base64.b64encode(data).decode() != text:
            raise Refuse("decode", "not standard base64")
        return data
    out = {}
    for name, value in pairs:
        check_name(name, out)
        out[name] = value
    return out
def number(text):
    if text == "-0" or not text.lstrip("-").isdigit():
        raise Refuse("decode", "%s is no integer" % text[:40])
    return int(text)
def json_decode(data, depth):
    try:
        value = json.loads(data.decode("utf-8"), object_pairs_hook=json_object, parse_int=number, parse_float=number, parse_constant=number)
        check_depth(value, depth, [0])
        return value
    except RecursionError:
        raise Refuse("limit", "nested too deep")
    except ValueError as e:
        raise Refuse("decode", "json: %s" % e)
def json_encode(value):
    return json.dumps(value, separators=(",", ":")).encode()
def part(data, at, n):
    if n > len(data) - at:
        raise Refuse("decode", "msgpack: %d bytes are wanted, %d remain" % (n, len(data) - at))
    return data[at : at + n]
def shortest(ok):
    if not ok:
        raise Refuse("decode", "msgpack: not in its shortest form")

SIZED = (("text", 0xD9, 0xA0, 31, (1, 2, 4)), ("bytes", 0xC4, 0, -1, (1, 2, 4)), ("list", 0xDC, 0x90, 15, (2, 4)), ("map", 0xDE, 0x80, 15, (2, 4)))
def unpack(data, at, depth, key=False):
    """One value and where it ends: the shortest form alone, and no length that the bytes do not hold."""
    c, at = part(data, at, 1)[0], at + 1
    if (c <= 0x7F or c >= 0xE0) and not key:
        return (c if c <= 0x7F else c - 256), at
    if c in (0xC0, 0xC2, 0xC3) and not key:
        return {0xC0: None, 0xC2: False, 0xC3: True}[c], at
    if 0xCC <= c <= 0xD3 and not key:
        size = 1 << (c & 3)
        n = int.from_bytes(part(data, at, size), "big", signed=c >= 0xD0)
        shortest(n > (0x7F, 0xFF, 0xFFFF, 0xFFFFFFFF)[c & 3] if c < 0xD0 else n < (-32, -128, -32768, -(2**31))[c & 3])
        return n, at + size
    for kind, first, fixed, most, sizes in SIZED:
        if fixed <= c <= fixed + most:
            n = c - fixed
            break
        if first <= c < first + len(sizes):
            size = sizes[c - first]
            n, at = int.from_bytes(part(data, at, size), "big"), at + size
            shortest(n > {1: most, 2: 0xFF if len(sizes) == 3 else most, 4: 0xFFFF}[size])
            break
    else:
        raise Refuse("decode", "msgpack: 0x%02x is no value of the data model" % c)
    if key and kind != "text":
        raise Refuse("decode", "msgpack: a key is no text")
    part(data, at, n * {"map": 2}.get(kind, 1))
    if kind in ("text", "bytes"):
        return data[at : at + n].decode() if kind == "text" else data[at : at + n], at + n
    if depth == 0:
        raise Refuse("limit", "nested too deep")
    out = [] if kind == "list" else {}
    for _ in range(n):
        if kind == "map":
            name, at = unpack(data, at, 0, True)
            check_name(name, out)
            out[name], at = unpack(data, at, depth - 1)
        else:
            value, at = unpack(data, at, depth - 1)
            out.append(value)
    return out, at

def msgpack_decode(data, depth):
    try:
        value, at = unpack(data, 0, depth)
    except ValueError as e:
        raise Refuse("decode", "msgpack: %s" % e)
    if at != len(data):
        raise Refuse("decode", "msgpack: something follows the value")
    check_depth(value, depth, [0])
    return value
def msgpack_encode(v):
    """What a child says: null, small numbers, text and small maps."""
    if v is None:
        return b"\xc0"
    if isinstance(v, int):
        return struct.pack(">B", v) if v < 128 else b"\xcc%c" % v if v < 256 else struct.pack(">BH", 0xCD, v) if v < 65536 else struct.pack(">BI", 0xCE, v)
    if isinstance(v, str):
        b = v.encode()
        return (bytes([0xA0 | len(b)]) if len(b) < 32 else bytes([0xD9, len(b)]) if len(b) < 256 else struct.pack(">BH", 0xDA, len(b))) + b
    return bytes([0x80 | len(v)]) + b"".join(msgpack_encode(k) + msgpack_encode(e) for k, e in v.items())

CODECS = {"json": (json_encode, json_decode), "msgpack": (msgpack_encode, msgpack_decode)}

def fields(value, where, **want):
    """The fields of a map that a message must have, by their types; a type of None is any value."""
    if not isinstance(value, dict):
        raise Refuse("decode", "%s is no map" % where)
    for name, kind in want.items():
        if kind and (name not in value or not isinstance(value[name], kind) or kind is int and isinstance(value[name], bool)):
            raise Refuse("decode", "%s: %s is missing or of another type" % (where, name))
    return value

# --- the conversation ---

class Child:
    def __init__(self, fd):
        os.set_inheritable(fd, False)
        self.sock = socket.socket(fileno=fd)
        if self.sock.family != socket.AF_UNIX or self.sock.type not in (socket.SOCK_SEQPACKET, socket.SOCK_STREAM):
            sys.exit("HANDFAST_SOCKET is no Unix socket that carries frames")
        self.packets = self.sock.type == socket.SOCK_SEQPACKET
        self.sent = self.received = 0
        self.limits, self.codec, self.state, self.config_began = dict(DEFAULTS), CODECS["json"], "Opened", False
    def send(self, kind, payload=b"", re=0, fds=()):
        self.sent += 1
        data = HEADER.pack(b"SY", 1, kind, 0, len(fds), self.sent, re, 0, len(payload)) + payload
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else []
        while data:
            try:
                data, rights = data[self.sock.sendmsg([data], rights, socket.MSG_NOSIGNAL) :], []
            except (BrokenPipeError, ConnectionResetError):
                raise Gone
        return self.sent
    def recvmsg(self, n):
        for _ in range(2):  # past a connection reset: what was sent before it is still to be read
            try:
                data, control, flags, _ = self.sock.recvmsg(n, socket.CMSG_SPACE(4 * MAX_FDS), socket.MSG_CMSG_CLOEXEC)
                break
            except ConnectionResetError:
                data, control, flags = b"", [], 0
        for level, kind, rights in control:
            if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
                self.fds.frombytes(rights[: len(rights) // 4 * 4])
        if flags & socket.MSG_CTRUNC:  # there was room for all that a message can carry: it is our own limit
            raise Refuse("limit", "too many descriptors are open", "recvmsg", "", errno.EMFILE)
        return data, flags & socket.MSG_TRUNC
    def packet(self):
        for _ in range(2):  # the end may overtake a last packet
            data, cut = self.recvmsg(HEADER.size + MAX_FRAME)
            if data:
                return data, cut
            poll = select.poll()
            poll.register(self.sock, select.POLLRDHUP)
            if self.fds or not poll.poll(0):
                raise Refuse("descriptors" if self.fds else "frame", "an empty packet")
        raise Gone
    def exactly(self, n, start=False):
        data = b""
        while len(data) < n:
            before = len(self.fds)
            piece, _ = self.recvmsg(n - len(data))
            if not piece:
                raise Gone
            if len(self.fds) > before and (data or not start):
                raise Refuse("descriptors", "descriptors in the middle of a frame")
            data += piece
            if start and data[:2] != b"SY"[: len(data[:2])]:
                break  # whoever sent this may send no more
        return data
    def receive(self, *legal):
        while True:
            self.fds, frame = array.array("i"), None
            try:
                frame = self.judge(legal)
            finally:
                for fd in [] if frame else self.fds:  # a violation, or a frame of a kind that may be skipped
                    os.close(fd)
            if frame:
                return frame
    def judge(self, legal):
        data, cut = self.packet() if self.packets else (self.exactly(HEADER.size, True), 0)
        if data[:2] != b"SY"[: len(data)]:
            raise Refuse("foreign", "not a handfast peer: it sent %r" % data[:64])
        if len(data) < HEADER.size:
            raise Refuse("frame", "%d bytes are no header" % len(data))
        _, version, kind, flags, nfds, seq, re, reserved, length = HEADER.unpack(data[: HEADER.size])
        known = HELLO <= kind <= CANCEL
        if version != 1:
            raise Refuse("version", "framing version %d" % version)
        if kind == 0 or not known and not flags & SKIPPABLE or flags & ~(MORE | SKIPPABLE) or flags & MORE and kind != CONFIG or reserved or not seq:
            raise Refuse("frame", "kind %d, flags %#x, reserved %d, seq %d" % (kind, flags, reserved, seq))
        if seq != self.received + 1:
            raise Refuse("frame", "sequence number %d, want %d" % (seq, self.received + 1))
        if seq > self.limits["frames"]:
            raise Refuse("limit", "too many frames")
        most = self.limits[{CONFIG: "fragment", REQUEST: "message", REPLY: "message", ERROR: "error"}.get(kind, "control")]
        if length > most:
            raise Refuse("limit", "%d bytes are over the limit of %d" % (length, most))
        if known and kind not in legal:
            raise Refuse("state", "kind %d may not come in the state %s" % (kind, self.state))
        if known and nfds > (32 if kind == CONFIG and not self.config_began else 0):
            raise Refuse("descriptors", "%d descriptors" % nfds)
        if self.packets and (cut or length != len(data) - HEADER.size):
            raise Refuse("frame", "a packet of %d bytes holds a frame of %d" % (len(data), HEADER.size + length))
        if nfds != len(self.fds):
            raise Refuse("descriptors", "%d descriptors are claimed, %d came" % (nfds, len(self.fds)))
        payload = data[HEADER.size :] if self.packets else self.exactly(length)
        self.received = seq
        return (kind, flags & MORE, seq, re, payload) if known else None
    def open(self):
        _, _, _, re, payload = self.receive(HELLO)
        hello = json_decode(payload, DEFAULTS["depth"])
        if re:
            raise Refuse("frame", "HELLO refers to no frame")
        fields(hello, "HELLO", min=int, max=int, codecs=list, profile=str, hash=str, limits=dict)
        theirs = {name: hello["limits"].get(name, 0) for name in DEFAULTS}
        fields(theirs, "limits", **{name: int for name in DEFAULTS})
        if any(not 0 <= n < 1 << BITS.get(name, 32) for name, n in theirs.items()):
            raise Refuse("decode", "a limit is out of its range")
        if not hello["min"] <= 1 <= hello["max"]:
            raise Refuse("version", "no common version")
        if (hello["profile"], hello["hash"]) != ("init", HASH):
            raise Refuse("profile", "another profile or another table")
        codec = next((c for c in hello["codecs"] if c in CODECS), None)
        if not codec:
            raise Refuse("version", "no common codec")
        for name, mine in DEFAULTS.items():
            self.limits[name] = min(mine, theirs[name] or mine)
            if self.limits[name] < FLOORS[name]:
                raise Refuse("limit", "limit %s of %d is too low" % (name, self.limits[name]))
        ack = {"version": 1, "codec": codec, "limits": self.limits, "pid": os.getpid()}
        self.send(HELLO_ACK, json_encode(ack), re=1)
        self.codec, self.state = CODECS[codec], "Agreed"
        config, fds, more = b"", array.array("i"), True
        while more:
            kind, more, seq, re, payload = self.wait(CONFIG)
            self.config_began = True
            if more and not payload:
                raise Refuse("frame", "an empty fragment that is not the last")
            config, fds = config + payload, fds + self.fds
            if len(config) > self.limits["config"]:
                raise Refuse("limit", "the configuration is over its limit")
            if re:
                raise Refuse("frame", "CONFIG refers to no frame")
        value = self.codec[1](config, self.limits["depth"])
        self.send(CONFIG_OK, self.codec[0]({"size": len(config), "digest": digest(config)}), re=seq)
        self.state = "Configured"
        return value, fds
    def wait(self, kind, pending=0):
        frame = self.receive(kind, ERROR, CANCEL)
        if frame[0] == CANCEL:
            body = json_decode(frame[4], self.limits["depth"])
            if frame[3]:
                raise Refuse("frame", "CANCEL refers to no frame")
            raise Refuse("cancelled", fields(body, "CANCEL", reason=str)["reason"])
        if frame[0] == ERROR and frame[3] == 0:
            raise Gone
        if frame[0] == ERROR and frame[3] != pending:
            raise Refuse("frame", "the re of an ERROR is %d" % frame[3])
        return frame
    def request(self, name, reply, arg=None, fds=()):
        number = self.send(REQUEST, self.codec[0]({"name": name, "arg": arg}), fds=fds)
        kind, _, _, re, payload = self.wait(REPLY, number)
        if kind == ERROR:
            raise Refuse("setup", "the parent refused %s" % name, op=name)
        body = fields(self.codec[1](payload, self.limits["depth"]), "REPLY", name=str, arg=None)
        if set(body) != {"name", "arg"}:
            raise Refuse("decode", "REPLY has other fields")
        if body["name"] != reply:
            raise Refuse("state", "the reply is %r, want %s" % (body["name"][:40], reply))
        if re != number:
            raise Refuse("frame", "the re of the reply is %d, want %d" % (re, number))
        return body["arg"]
    def fail(self, e):
        nodes = [{"type": "text", "text": str(e)[:1000]}]
        if e.number:
            nodes = [{"type": "path", "op": e.op, "path": e.path[:1000]}, {"parent": 1, "type": "errno", "errno": errno.errorcode.get(e.number, "EIO")}]
        report = {"code": e.code, "role": "child", "pid": os.getpid(), "state": self.state, "nodes": nodes}
        self.send(ERROR, json_encode(report))

KNOWN = {"id", "hostname", "namespaces", "root", "mounts", "process", "hooks"}
KNOWN_PROCESS = {"args", "env", "cwd", "capabilities", "noNewPrivs", "terminal", "umask", "keepGroups"}
MS_NOSUID, MS_BIND, MS_REC, MS_PRIVATE, MNT_DETACH, NEWCGROUP = 2, 4096, 16384, 1 << 18, 2, 0x02000000
PIVOT_ROOT = {"x86_64": 155, "aarch64": 41}
libc = ctypes.CDLL(None, use_errno=True)
def call(op, path, *args):
    if getattr(libc, op)(*[a.encode() if isinstance(a, str) else a for a in args]) < 0:
        n = ctypes.get_errno()
        raise Refuse("setup", "%s %s: %s" % (op, path, os.strerror(n)), op, path, n)
def check(config):
    fields(config, "CONFIG", root=dict, process=dict)
    fields(config["process"], "process", args=list, cwd=str)
    hooks = config.get("hooks") or {}
    mounts = [m["destination"] for m in config.get("mounts", []) if m.get("type") not in ("proc", "tmpfs", "sysfs", "devpts", "mqueue")]
    for what in sorted(set(config) - KNOWN) + sorted(set(config["process"]) - KNOWN_PROCESS) + sorted(set(hooks) - {"runtime"}) + mounts:
        raise Refuse("config", "%s: this child cannot do that" % what)
    if not config["process"]["args"]:
        raise Refuse("config", "process.args is empty")

def enter(root, mounts):
    """A new root in a mount namespace of our own; what hangs below the old one is let go."""
    call("mount", "/", None, "/", None, MS_REC | MS_PRIVATE, None)
    call("mount", root, root, root, None, MS_BIND | MS_REC, None)
    for m in mounts:
        target = root + m["destination"]
        os.makedirs(target, exist_ok=True)
        call("mount", target, m.get("source", m["type"]), target, m["type"], MS_NOSUID, ",".join(m.get("data", [])))
    os.chdir(root)
    call("syscall", "pivot_root", PIVOT_ROOT[os.uname().machine], ".", ".")
    call("umount2", ".", ".", MNT_DETACH)
    os.chdir("/")

def run(child):
    config, _ = child.open()
    check(config)
    process, kinds = config["process"], {n["kind"]: n["how"] for n in config.get("namespaces", [])}
    if kinds.get("cgroup") == "unshare":
        call("unshare", "cgroup", NEWCGROUP)
    if config.get("hooks", {}).get("runtime"):
        child.request("hooks", "hooksDone")
    if config.get("hostname"):
        socket.sethostname(config["hostname"])
    if "mount" in kinds:
        enter(config["root"]["path"], config.get("mounts", []))
    os.chdir(process["cwd"])
    child.send(NOTE, child.codec[0]({"level": "info", "text": "the root is set up"}))
    if process.get("terminal"):
        master, slave = os.openpty()
        name = os.ttyname(slave)
        child.request("console", "consoleTaken", {"path": name}, [master])
        os.setsid()
        fcntl.ioctl(slave, termios.TIOCSCTTY, 0)
        for n in range(3):
            os.dup2(slave, n)
    child.request("ready", "run")
    process.get("keepGroups") or os.setgroups([])
    os.umask(process.get("umask", 0o22))
    process.get("noNewPrivs") and call("prctl", "PR_SET_NO_NEW_PRIVS", 38, 1, 0, 0, 0)
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    child.send(EXEC)
    try:
        os.execvpe(process["args"][0], process["args"], dict(e.split("=", 1) for e in process.get("env", [])))
    except OSError as e:
        raise Refuse("exec", str(e), "execve", process["args"][0], e.errno)

fd = int(os.environ.pop("HANDFAST_SOCKET"))
os.closerange(fd + 1, 4096)  # nothing of the parent's goes on
child = Child(fd)
try:
    try:
        run(child)
    except Refuse as e:
        child.fail(e)
    except OSError as e:
        child.fail(Refuse("setup", str(e), "set-up", e.filename or "", e.errno or 0))
except Gone:
    pass
sys.exit(1)
