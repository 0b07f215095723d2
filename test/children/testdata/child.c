/* A child of the handfast protocol, profile init, codec json, written from docs/protocol.md with the C library alone. What it cannot do it refuses by name.
 * cc -O2 -Wall -Wextra -Werror -o child child.c */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
enum { HELLO = 1, HELLO_ACK, CONFIG, CONFIG_OK, REQUEST, REPLY, NOTE, ERROR, EXEC, CANCEL };
enum { MORE = 1, SKIPPABLE = 2, HEADER = 16, MAX_FRAME = 65536, MAX_FDS = 253, MAX_VALUES = 262144 };
#define HASH "2a171a28ada5fdca" /* of the profile init, section 8 */
static const char *const limit_names[] = {"control", "error", "fragment", "message", "config", "notes", "frames", "depth"};
static const uint32_t floors[] = {1024, 1024, 1024, 1024, 1024, 1, 16, 4}, tops[] = {~0U, ~0U, ~0U, ~0U, ~0U, 65535, 65535, 255};
static uint32_t limits[] = {4096, 32768, 32768, 65536, 4 << 20, 256, 4096, 32};
enum { L_CONTROL, L_ERROR, L_FRAGMENT, L_MESSAGE, L_CONFIG, L_NOTES, L_FRAMES, L_DEPTH };
static int sock, packets, config_began, nfds, fds[MAX_FDS];
static uint16_t sent, received; static const char *state = "Opened";
/* --- sending --- */
static uint16_t frame(int kind, const char *payload, size_t n, uint16_t re, int fd) {
    unsigned char *b = malloc(HEADER + n), *p = b;
    char control[CMSG_SPACE(sizeof(int))];
    if (!b || !++sent) _exit(1);
    unsigned char h[HEADER] = {'S', 'Y', 1, kind, 0, fd >= 0, sent >> 8, sent, re >> 8, re, 0, 0, n >> 24, n >> 16, n >> 8, n};
    memcpy(b, h, HEADER), memcpy(b + HEADER, payload, n);
    for (size_t left = HEADER + n; left > 0;) {
        struct iovec iov = {p, left};
        struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1};
        if (fd >= 0 && p == b) {
            m.msg_control = control, m.msg_controllen = sizeof control;
            *CMSG_FIRSTHDR(&m) = (struct cmsghdr){.cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(sizeof(int))};
            memcpy(CMSG_DATA(CMSG_FIRSTHDR(&m)), &fd, sizeof fd);
        }
        ssize_t k = sendmsg(sock, &m, MSG_NOSIGNAL);
        if (k < 0 && errno == EINTR) continue;
        if (k < 0) _exit(1); /* the parent is gone */
        p += k, left -= k;
    }
    return free(b), sent;
}
static void quote(FILE *f, const char *s) { /* what is not plain ASCII is shown as a question mark */
    for (int i = fputc('"', f) * 0; s[i] && i < 1000; i++) fputc(s[i] == '"' || s[i] == '\\' || s[i] < ' ' || s[i] > '~' ? '?' : s[i], f);
    fputc('"', f);
}
/* fail is this child's one last word. A number makes it an error of the kernel, with its operation and path. */
static _Noreturn void fail(const char *code, const char *op, const char *path, int number, const char *format, ...) {
    char text[512], *body = NULL;
    size_t n = 0;
    va_list args;
    va_start(args, format), vsnprintf(text, sizeof text, format, args);
    va_end(args);
    FILE *f = open_memstream(&body, &n);
    if (!f) _exit(1);
    fprintf(f, "{\"code\":\"%s\",\"role\":\"child\",\"state\":\"%s\",\"nodes\":[", code, state);
    if (number) fprintf(f, "{\"type\":\"path\",\"op\":\"%s\",\"path\":", op), quote(f, path);
    else fprintf(f, "{\"type\":\"text\",\"text\":"), quote(f, text);
    if (number) fprintf(f, "},{\"parent\":1,\"type\":\"errno\",\"errno\":\"%s\"", strerrorname_np(number) ? strerrorname_np(number) : "EIO");
    fprintf(f, "}]}"), fclose(f);
    frame(ERROR, body, n, 0, -1);
    _exit(1);
}
#define refuse(code, ...) fail(code, "", "", 0, __VA_ARGS__)
#define need(call, op, path) do { if ((call) < 0) fail("setup", op, path, errno, "%s", op); } while (0)
/* --- values: JSON as section 5.1 restricts it --- */
typedef struct value { /* t: n null, b bool, i integer, s text, y bytes, l list, m map */
    char t, *s, *name;
    size_t len;
    int negative;
    uint64_t num;
    struct value *kid, *next;
} value;
static const char *in, *end;
static int values;
static void space(void) { while (in < end && strchr(" \t\r\n", *in) && *in) in++; }
static void want(char c) {
    if (space(), in == end || *in++ != c) refuse("decode", "json: want %c", c);
}
static unsigned hex4(void) {
    unsigned n = 0;
    for (int i = 0; i < 4; i++, in++) {
        const char *d = in < end && *in >= '0' ? strchr("0123456789abcdef", *in | 0x20) : NULL;
        if (!d) refuse("decode", "json: not an escape");
        n = n << 4 | (unsigned)(d - "0123456789abcdef");
    }
    return n;
}
static char *utf8(char *o, unsigned c) {
    if (c < 0x80) return *o++ = c, o;
    if (c < 0x800) return *o++ = 0xC0 | c >> 6, *o++ = 0x80 | (c & 63), o;
    if (c < 0x10000) return *o++ = 0xE0 | c >> 12, *o++ = 0x80 | (c >> 6 & 63), *o++ = 0x80 | (c & 63), o;
    return *o++ = 0xF0 | c >> 18, *o++ = 0x80 | (c >> 12 & 63), *o++ = 0x80 | (c >> 6 & 63), *o++ = 0x80 | (c & 63), o;
}
static int valid_utf8(const unsigned char *s, size_t n) {
    for (size_t i = 0; i < n;) {
        int k = s[i] < 0x80 ? 0 : s[i] >= 0xC2 && s[i] < 0xE0 ? 1 : s[i] >= 0xE0 && s[i] < 0xF0 ? 2 : s[i] >= 0xF0 && s[i] < 0xF5 ? 3 : -1;
        unsigned c = k > 0 ? s[i] & (0x3F >> k) : s[i];
        if (k < 0 || i + k >= n + (k == 0)) return 0;
        for (int j = 1; j <= k; j++) {
            if ((s[i + j] & 0xC0) != 0x80) return 0;
            c = c << 6 | (s[i + j] & 63);
        }
        if ((k == 2 && (c < 0x800 || (c >= 0xD800 && c < 0xE000))) || (k == 3 && (c < 0x10000 || c > 0x10FFFF))) return 0;
        i += k + 1;
    }
    return 1;
}
static char *text(size_t *len) {
    want('"');
    char *out = malloc(end - in + 1), *o = out;
    if (!out) _exit(1);
    for (; in < end && *in != '"'; ) {
        if ((unsigned char)*in < ' ') refuse("decode", "json: a control character in text");
        if (*in != '\\') { *o++ = *in++; continue; }
        const char *from = "\"\\/bfnrt", *to = "\"\\/\b\f\n\r\t", *e;
        if (++in == end) break;
        if (*in && (e = strchr(from, *in))) { *o++ = to[e - from], in++; continue; }
        if (*in++ != 'u') refuse("decode", "json: not an escape");
        unsigned c = hex4();
        if (c >= 0xD800 && c < 0xE000) {
            if (c >= 0xDC00 || end - in < 6 || *in++ != '\\' || *in++ != 'u') refuse("decode", "json: half a surrogate pair");
            unsigned low = hex4();
            if (low < 0xDC00 || low >= 0xE000) refuse("decode", "json: half a surrogate pair");
            c = 0x10000 + ((c & 0x3FF) << 10) + (low & 0x3FF);
        }
        o = utf8(o, c);
    }
    if (in++ == end) refuse("decode", "json: text without an end");
    *o = 0, *len = o - out;
    if (!valid_utf8((unsigned char *)out, *len)) refuse("decode", "json: not UTF-8");
    return out;
}
static const char b64[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static void check_base64(const char *s, size_t n) {
    size_t pad = n >= 2 && s[n - 1] == '=' ? 1 + (s[n - 2] == '=') : 0;
    for (size_t i = 0; i < n - pad; i++)
        if (!strchr(b64, s[i]) || !s[i]) n = 1;
    if (n % 4 || (pad && (strchr(b64, s[n - pad - 1]) - b64) & (pad == 1 ? 3 : 15))) refuse("decode", "json: not standard base64");
}
static value *get(const value *m, const char *name) {
    for (value *k = m && m->t == 'm' ? m->kid : NULL; k; k = k->next)
        if (k->name && !strcmp(k->name, name)) return k;
    return NULL;
}
static value *parse(int depth) {
    value *v = calloc(1, sizeof *v), **last = &v->kid;
    if (!v) _exit(1);
    if (++values > MAX_VALUES) refuse("limit", "too many values");
    if (space(), in == end) refuse("decode", "json: no value");
    const char *words[] = {"null", "true", "false"};
    for (int i = 0; i < 3; i++)
        if ((size_t)(end - in) >= strlen(words[i]) && !memcmp(in, words[i], strlen(words[i]))) return in += strlen(words[i]), v->t = i ? 'b' : 'n', v->num = i == 1, v;
    if (*in == '"') return v->t = 's', v->s = text(&v->len), v;
    if (*in == '-' || (*in >= '0' && *in <= '9')) {
        v->t = 'i', v->negative = *in == '-', in += v->negative;
        const char *first = in;
        for (; in < end && *in >= '0' && *in <= '9'; in++)
            if (__builtin_mul_overflow(v->num, 10, &v->num) || __builtin_add_overflow(v->num, *in - '0', &v->num)) refuse("decode", "json: a number is out of range");
        if (in == first || (*first == '0' && (in - first > 1 || v->negative)) || (in < end && *in && strchr(".eE", *in)) || (v->negative && v->num > (uint64_t)1 << 63))
            refuse("decode", "json: not an integer");
        return v;
    }
    if (*in != '[' && *in != '{') refuse("decode", "json: no value starts so");
    v->t = *in == '{' ? 'm' : 'l';
    char close = *in++ == '{' ? '}' : ']';
    if (depth == 0) refuse("limit", "nested too deep");
    for (space(); in == end || *in != close; last = &(*last)->next) {
        if (v->kid) want(',');
        char *name = NULL;
        if (v->t == 'm') {
            size_t n = (space(), 0);
            name = text(&n);
            if (strlen(name) != n || get(v, name)) refuse("decode", "json: a name stands twice, or has a zero in it");
            want(':');
        }
        *last = parse(depth - 1);
        (*last)->name = name;
        if (name && name[0] == '$' && (strcmp(name, "$bytes") || v->kid != *last || (*last)->t != 's')) refuse("decode", "json: a name is reserved");
        space();
    }
    in++;
    if (v->kid && v->kid->name && !strcmp(v->kid->name, "$bytes")) {
        if (v->kid->next) refuse("decode", "json: $bytes is not alone");
        check_base64(v->kid->s, v->kid->len), v->t = 'y';
    }
    return v;
}
static value *decode(const char *b, size_t n) {
    in = b, end = b + n, values = 0;
    value *v = parse(limits[L_DEPTH]);
    if (space(), in != end) refuse("decode", "json: something follows the value");
    return v;
}
static value *field(const value *m, const char *name, char t) {
    value *v = get(m, name);
    if (!v || v->t != t) refuse("decode", "%s is missing or of another type", name);
    return v;
}
/* --- receiving --- */
typedef struct { int kind, more; uint16_t seq, re; char *payload; size_t len; } message;
static ssize_t receive(char *b, size_t n, int *flags) {
    char control[CMSG_SPACE(sizeof(int) * MAX_FDS)];
    for (int resets = 0;;) {
        struct iovec iov = {b, n};
        struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
        ssize_t k = recvmsg(sock, &m, MSG_CMSG_CLOEXEC);
        if (k < 0 && (errno == EINTR || (errno == ECONNRESET && !resets++))) continue;
        if (k < 0) _exit(1);
        for (struct cmsghdr *c = CMSG_FIRSTHDR(&m); c; c = CMSG_NXTHDR(&m, c))
            if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS)
                for (size_t i = 0; nfds < MAX_FDS && CMSG_LEN((i + 1) * sizeof(int)) <= c->cmsg_len; i++) /* the buffer has room for no more */
                    memcpy(&fds[nfds++], CMSG_DATA(c) + i * sizeof(int), sizeof(int));
        if ((*flags = m.msg_flags) & MSG_CTRUNC) fail("limit", "recvmsg", "", EMFILE, "recvmsg"); /* our own limit */
        return k;
    }
}
static void exactly(char *b, size_t n, int start) {
    int flags;
    for (size_t got = 0, k; got < n; got += k) {
        int before = nfds;
        if (!(k = receive(b + got, n - got, &flags))) _exit(1);
        if (nfds > before && (got || !start)) refuse("descriptors", "descriptors in the middle of a frame");
        if (start && memcmp(b, "SY", got + k < 2 ? 1 : 2)) refuse("foreign", "not a handfast peer: it sent %.*s", (int)(got + k), b);
    }
}
/* next is the next frame, judged in the order of the document: header, place, descriptors, and only then its payload. legal is a set of kinds. */
static message next(unsigned legal) {
    static char b[HEADER + MAX_FRAME + 1];
    for (;;) {
        int flags = 0;
        ssize_t n = HEADER;
        while (nfds > 0) close(fds[--nfds]); /* those of a frame that was skipped */
        if (!packets) exactly(b, HEADER, 1);
        for (int again = 2; packets && (n = receive(b, sizeof b, &flags)) == 0;) { /* the end may overtake a packet */
            struct pollfd end = {.fd = sock, .events = POLLRDHUP};
            if (nfds) refuse("descriptors", "an empty packet with descriptors");
            if (poll(&end, 1, 0) <= 0) refuse("frame", "an empty packet");
            if (!--again) _exit(1);
        }
        unsigned char *h = (unsigned char *)b;
        if (memcmp(b, "SY", n < 2 ? n : 2)) refuse("foreign", "not a handfast peer: it sent %.*s", (int)(n < 64 ? n : 64), b);
        if (n < HEADER) refuse("frame", "%zd bytes are no header", n);
        message m = {h[3], h[4] & MORE, h[6] << 8 | h[7], h[8] << 8 | h[9], b + HEADER, (size_t)h[12] << 24 | h[13] << 16 | h[14] << 8 | h[15]};
        int known = m.kind >= HELLO && m.kind <= CANCEL, most = L_CONTROL;
        if (h[2] != 1) refuse("version", "framing version %d", h[2]);
        if (!m.kind || (!known && !(h[4] & SKIPPABLE)) || h[4] & ~(MORE | SKIPPABLE) || (m.more && m.kind != CONFIG) || h[10] || h[11] || !m.seq)
            refuse("frame", "kind %d, flags %d, seq %d", m.kind, h[4], m.seq);
        if (m.seq != received + 1) refuse("frame", "sequence number %d, want %d", m.seq, received + 1);
        if (m.seq > limits[L_FRAMES]) refuse("limit", "too many frames");
        if (m.kind == CONFIG || m.kind == ERROR) most = m.kind == CONFIG ? L_FRAGMENT : L_ERROR;
        if (m.kind == REQUEST || m.kind == REPLY) most = L_MESSAGE;
        if (m.len > limits[most]) refuse("limit", "%zu bytes are over the limit of %u", m.len, limits[most]);
        if (known && !(legal >> m.kind & 1)) refuse("state", "kind %d may not come in the state %s", m.kind, state);
        if (known && h[5] > (m.kind == CONFIG && !config_began ? 32 : 0)) refuse("descriptors", "%d descriptors", h[5]);
        if (packets && (flags & MSG_TRUNC || m.len != (size_t)n - HEADER)) refuse("frame", "a packet of %zd bytes holds a frame of %zu", n, m.len + HEADER);
        if (h[5] != nfds) refuse("descriptors", "%d descriptors are claimed, %d came", h[5], nfds);
        if (!packets) exactly(m.payload, m.len, 0);
        received = m.seq;
        if (known) return m;
    }
}
/* await is a frame of one kind, or the parent's word that it is over. */
static message await(int kind, uint16_t pending) {
    message m = next(1u << kind | 1u << ERROR | 1u << CANCEL);
    value *why = m.kind == CANCEL ? decode(m.payload, m.len) : NULL;
    if (why) refuse(m.re ? "frame" : "cancelled", "cancelled: %s", m.re ? "?" : field(why, "reason", 's')->s);
    if (m.kind == ERROR && m.re == 0) _exit(1);
    if (m.kind == ERROR && m.re != pending) refuse("frame", "an ERROR answers frame %d", m.re);
    return m;
}
static void ask(const char *name, const char *reply, const char *arg, int fd) {
    char b[512];
    int n = snprintf(b, sizeof b, "{\"name\":\"%s\",\"arg\":%s}", name, arg);
    uint16_t number = frame(REQUEST, b, n, 0, fd);
    message m = await(REPLY, number);
    if (m.kind == ERROR) refuse("setup", "the parent refused %s", name);
    value *v = decode(m.payload, m.len), *got = field(v, "name", 's');
    if (!get(v, "arg") || v->kid->next->next) refuse("decode", "REPLY has other fields than name and arg");
    if (strlen(got->s) != got->len || strcmp(got->s, reply)) refuse("state", "the answer is %.40s, want %s", got->s, reply);
    if (m.re != number) refuse("frame", "the answer answers frame %d, want %d", m.re, number);
}
static void greet(void) {
    message m = next(1u << HELLO);
    value *h = decode(m.payload, m.len), *w;
    if (m.re) refuse("frame", "HELLO answers nothing");
    value *min = field(h, "min", 'i'), *max = field(h, "max", 'i'), *c = field(h, "codecs", 'l')->kid;
    value *profile = field(h, "profile", 's'), *hash = field(h, "hash", 's'), *lim = field(h, "limits", 'm');
    for (int i = 0; i < 8; i++)
        if ((w = get(lim, limit_names[i])) && (w->t != 'i' || w->negative || w->num > tops[i])) refuse("decode", "limits.%s", limit_names[i]);
    if ((!min->negative && min->num > 1) || max->negative || max->num < 1) refuse("version", "no common version");
    if (strcmp(profile->s, "init") || strcmp(hash->s, HASH)) refuse("profile", "another profile or another table");
    while (c && (c->t != 's' || strcmp(c->s, "json"))) c = c->next;
    if (!c) refuse("version", "no common codec");
    for (int i = 0; i < 8; i++) {
        if ((w = get(lim, limit_names[i])) && w->num && w->num < limits[i]) limits[i] = w->num;
        if (limits[i] < floors[i]) refuse("limit", "limit %s of %u is too low", limit_names[i], limits[i]);
    }
    char b[512]; int n = snprintf(b, sizeof b, "{\"version\":1,\"codec\":\"json\",\"pid\":%d,\"limits\":{", getpid());
    for (int i = 0; i < 8; i++) n += snprintf(b + n, sizeof b - n, "%s\"%s\":%u", i ? "," : "", limit_names[i], limits[i]);
    n += snprintf(b + n, sizeof b - n, "}}");
    frame(HELLO_ACK, b, n, 1, -1), state = "Agreed";
}
static value *configure(void) {
    char *config = NULL, b[64];
    size_t size = 0;
    uint64_t h, w = 0, odd = 0x9E3779B97F4A7C15;
    message m;
    do {
        m = await(CONFIG, 0), config_began = 1;
        if (m.more && !m.len) refuse("frame", "an empty fragment that is not the last");
        if (size + m.len > limits[L_CONFIG]) refuse("limit", "the configuration is over its limit");
        if (m.re) refuse("frame", "CONFIG answers nothing");
        if (!(config = realloc(config, size + m.len + 1))) _exit(1);
        memcpy(config + size, m.payload, m.len), size += m.len;
    } while (m.more);
    value *v = decode(config, size);
    for (size_t i = (h = size * odd, 0); i < size; i += 8, h = (h ^ w) * odd, h = (h << 32 | h >> 32) * odd)
        for (int k = 7; k >= 0; k--) w = w << 8 | (i + k < size ? (unsigned char)config[i + k] : 0);
    frame(CONFIG_OK, b, snprintf(b, sizeof b, "{\"size\":%zu,\"digest\":\"%016llx\"}", size, (unsigned long long)h), m.seq, -1);
    return state = "Configured", v;
}
/* --- the container --- */
static void only(const value *m, const char *known) { /* what is not known cannot be carried out */
    for (value *k = m ? m->kid : NULL; k; k = k->next) {
        const char *at = *k->name ? strstr(known, k->name) : NULL;
        if (!at || at[-1] != ' ' || at[strlen(k->name)] != ' ') refuse("config", "%.60s: this child cannot do that", k->name);
    }
}
static void enter(const char *root, value *mounts) {
    char path[4096];
    need(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), "mount", "/");
    need(mount(root, root, NULL, MS_BIND | MS_REC, NULL), "mount", root);
    for (value *m = mounts ? mounts->kid : NULL; m; m = m->next) {
        const char *type = field(m, "type", 's')->s;
        if (!strstr(" proc tmpfs sysfs devpts mqueue ", type)) refuse("config", "a mount of type %.40s: this child cannot do that", type);
        snprintf(path, sizeof path, "%s%s", root, field(m, "destination", 's')->s), mkdir(path, 0755);
        need(mount(type, path, type, MS_NOSUID, NULL), "mount", path);
    }
    need(chdir(root), "chdir", root);
    need(syscall(SYS_pivot_root, ".", "."), "pivot_root", root);
    need(umount2(".", MNT_DETACH), "umount2", root);
}
static char **strings(const value *list) {
    size_t n = 1;
    for (value *k = list ? list->kid : NULL; k; k = k->next) n++;
    char **out = calloc(n, sizeof *out), **o = out;
    for (value *k = list ? list->kid : NULL; k && out; k = k->next) *o++ = k->t == 's' ? k->s : "";
    return out;
}
static void console(void) {
    char name[64], arg[96];
    int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC), slave;
    if (master < 0 || grantpt(master) || unlockpt(master) || ptsname_r(master, name, sizeof name) || (slave = open(name, O_RDWR | O_CLOEXEC)) < 0) fail("setup", "open", "/dev/ptmx", errno, "pty");
    snprintf(arg, sizeof arg, "{\"path\":\"%s\"}", name);
    ask("console", "consoleTaken", arg, master), setsid();
    need(ioctl(slave, TIOCSCTTY, 0), "ioctl", name);
    for (int i = 0; i < 3; i++) dup2(slave, i);
}
int main(void) {
    const char *number = getenv("HANDFAST_SOCKET"), note[] = "{\"level\":\"info\",\"text\":\"the root is set up\"}";
    int type = 0, mounts = 0;
    socklen_t n = sizeof type;
    sock = number ? atoi(number) : -1;
    if (getsockopt(sock, SOL_SOCKET, SO_TYPE, &type, &n) || (type != SOCK_SEQPACKET && type != SOCK_STREAM)) return fprintf(stderr, "HANDFAST_SOCKET is no socket\n"), 1;
    fcntl(sock, F_SETFD, FD_CLOEXEC), unsetenv("HANDFAST_SOCKET");
    syscall(SYS_close_range, sock + 1, ~0U, 0); /* nothing of the parent's goes on */
    packets = type == SOCK_SEQPACKET, greet();
    value *c = configure(), *p = field(c, "process", 'm'), *h = get(c, "hooks"), *w;
    only(c, " id hostname namespaces root mounts process hooks ");
    only(p, " args env cwd capabilities noNewPrivs terminal umask keepGroups ");
    only(h, " runtime ");
    if (!field(p, "args", 'l')->kid) refuse("config", "process.args is empty");
    for (value *k = get(c, "namespaces") ? get(c, "namespaces")->kid : NULL; k; k = k->next) {
        mounts |= !strcmp(field(k, "kind", 's')->s, "mount");
        if (!strcmp(field(k, "how", 's')->s, "unshare")) need(unshare(CLONE_NEWCGROUP), "unshare", "cgroup");
    }
    if ((w = get(h, "runtime")) && w->num) ask("hooks", "hooksDone", "null", -1);
    if ((w = get(c, "hostname"))) need(sethostname(w->s, w->len), "sethostname", w->s);
    if (mounts) enter(field(field(c, "root", 'm'), "path", 's')->s, get(c, "mounts"));
    need(chdir(field(p, "cwd", 's')->s), "chdir", field(p, "cwd", 's')->s);
    frame(NOTE, note, strlen(note), 0, -1);
    if ((w = get(p, "terminal")) && w->num) console();
    ask("ready", "run", "null", -1);
    if (!(w = get(p, "keepGroups")) || !w->num) need(syscall(SYS_setgroups, 0, NULL), "setgroups", "");
    umask((w = get(p, "umask")) ? w->num : 022);
    if ((w = get(p, "noNewPrivs")) && w->num) need(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "prctl", "PR_SET_NO_NEW_PRIVS");
    char **args = strings(get(p, "args"));
    environ = strings(get(p, "env")), frame(EXEC, "", 0, 0, -1), execvp(args[0], args);
    fail("exec", "execve", args[0], errno, "execve");
}
