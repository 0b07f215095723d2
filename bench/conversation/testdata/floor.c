/* floor only moves the bytes and the descriptors of a conversation, in as many messages: two processes or threads,
 * blocking sockets, one system call for each message on each side, and no scheduler but the kernel's.
 *
 *     floor processes|threads seqpacket|stream one|any p:SIZE:FDS c:SIZE:FDS ...
 *
 * "one" pins both sides to one CPU, "any" leaves their place to the kernel. A frame is the parent's (p) or the
 * child's (c), of so many bytes and descriptors. A line "N" on standard input requests N conversations, and the mean
 * of their microseconds is written to standard output; "check" runs one in which all bytes are compared. The time of
 * a conversation is from when both sides have their ends until the parent has read the child's end of file and
 * closed its own. Built by the program beside it: cc -O2 -pthread. */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

struct frame { int child, size, fds; };
static struct frame frames[64];
static int count, control[2], terminal, cpu = -1;

static _Noreturn void die(const char *what) {
    fprintf(stderr, "floor: %s: %s\n", what, errno ? strerror(errno) : "not as it should be");
    exit(1);
}

static void pin(void) {
    cpu_set_t set;
    if (cpu < 0) return;
    CPU_ZERO(&set);
    CPU_SET(cpu, &set);
    if (sched_setaffinity(0, sizeof set, &set) < 0) die("sched_setaffinity");
}

static void transmit(int sock, void *p, size_t n, int fd) {
    union { struct cmsghdr h; char room[CMSG_SPACE(sizeof(int))]; } c;
    struct iovec iov = {p, n};
    struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1};
    if (fd >= 0) {
        m.msg_control = &c, m.msg_controllen = sizeof c;
        c.h = (struct cmsghdr){.cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(sizeof(int))};
        memcpy(CMSG_DATA(&c.h), &fd, sizeof fd);
    }
    errno = 0;
    if (sendmsg(sock, &m, MSG_NOSIGNAL) != (ssize_t)n) die("sendmsg");
}

/* fetch fills p and returns the descriptor that came with it, negative for none. */
static int fetch(int sock, char *p, size_t n) {
    union { struct cmsghdr h; char room[CMSG_SPACE(sizeof(int))]; } c;
    int fd = -1;
    for (size_t got = 0; got < n;) {
        struct iovec iov = {p + got, n - got};
        struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = &c, .msg_controllen = sizeof c};
        errno = 0;
        ssize_t k = recvmsg(sock, &m, MSG_CMSG_CLOEXEC);
        if (k <= 0) die("recvmsg");
        if (m.msg_controllen >= CMSG_LEN(sizeof(int))) memcpy(&fd, CMSG_DATA(&c.h), sizeof fd);
        got += k;
    }
    return fd;
}

static void walk(int sock, int child, int closely, char *buf) {
    for (int i = 0; i < count; i++) {
        struct frame *f = &frames[i];
        if (f->child == child) {
            for (int k = 0; closely && k < f->size; k++) buf[k] = (char)(k * 7 + i);
            transmit(sock, buf, f->size, f->fds ? terminal : -1);
            continue;
        }
        int fd = fetch(sock, buf, f->size);
        errno = 0;
        if ((fd >= 0) != (f->fds > 0)) die("descriptors");
        if (fd >= 0) close(fd);
        for (int k = 0; closely && k < f->size; k++)
            if (buf[k] != (char)(k * 7 + i)) die("bytes");
    }
}

static void *child(void *unused) {
    char *buf = malloc(1 << 20), word;
    pin();
    for (;;) {
        struct iovec iov = {&word, 1};
        union { struct cmsghdr h; char room[CMSG_SPACE(sizeof(int))]; } c;
        struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = &c, .msg_controllen = sizeof c};
        int sock;
        if (recvmsg(control[1], &m, 0) <= 0) return NULL;
        memcpy(&sock, CMSG_DATA(&c.h), sizeof sock);
        transmit(control[1], "r", 1, -1);
        walk(sock, 1, word == 'c', buf);
        close(sock);
        transmit(control[1], "d", 1, -1);
    }
}

static double talk(int type, int closely, char *buf) {
    struct timespec a, b;
    int pair[2];
    char word;
    if (socketpair(AF_UNIX, type, 0, pair) < 0) die("socketpair");
    transmit(control[0], closely ? "c" : "b", 1, pair[1]);
    close(pair[1]);
    fetch(control[0], &word, 1);
    clock_gettime(CLOCK_MONOTONIC, &a);
    walk(pair[0], 0, closely, buf);
    errno = 0;
    if (read(pair[0], &word, 1) != 0) die("want end of file");
    close(pair[0]);
    clock_gettime(CLOCK_MONOTONIC, &b);
    fetch(control[0], &word, 1);
    return (b.tv_sec - a.tv_sec) * 1e6 + (b.tv_nsec - a.tv_nsec) / 1e3;
}

int main(int argc, char **argv) {
    char *buf = malloc(1 << 20), line[64];
    cpu_set_t allowed;
    if (argc < 5 || argc > 4 + 64) return fputs("floor: see the comment at its top\n", stderr), 2;
    int threads = !strcmp(argv[1], "threads"), type = strcmp(argv[2], "stream") ? SOCK_SEQPACKET : SOCK_STREAM;
    for (int i = 4; i < argc; i++, count++) {
        struct frame *f = &frames[count];
        if (sscanf(argv[i] + 1, ":%d:%d", &f->size, &f->fds) != 2 || f->size > 1 << 20) die(argv[i]);
        f->child = argv[i][0] == 'c';
    }
    if (sched_getaffinity(0, sizeof allowed, &allowed) < 0) die("sched_getaffinity");
    for (int i = CPU_SETSIZE - 1; i >= 0 && !strcmp(argv[3], "one"); i--)
        if (CPU_ISSET(i, &allowed)) cpu = i;
    if ((terminal = memfd_create("terminal", MFD_CLOEXEC)) < 0) die("memfd_create");
    if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, control) < 0) die("socketpair");
    pthread_t thread;
    pid_t pid = 0;
    if (threads ? (errno = pthread_create(&thread, NULL, child, NULL)) != 0 : (pid = fork()) < 0) die("the child");
    if (!threads && pid == 0) return close(control[0]), child(NULL), 0;
    pin();
    while (fgets(line, sizeof line, stdin)) {
        int closely = !strncmp(line, "check", 5), n = closely ? 1 : atoi(line);
        double all = 0;
        for (int i = 0; i < n; i++) all += talk(type, closely, buf);
        printf("%.3f\n", all / n);
        fflush(stdout);
    }
    if (pid) close(control[1]), shutdown(control[0], SHUT_RDWR), waitpid(pid, NULL, 0);
    return 0;
}
