/*
 * attempt loads seccomp filters and makes system calls under them, so that tests can check what the kernel does. It
 * reads one request per line from standard input, and writes one reply per line to standard output.
 *
 *   filter FLAGS HEX                    -> loaded, or error ERRNO: whether the kernel accepts the program
 *   call ABI NUMBER ARG ARG ARG ARG ARG ARG -> its result under the last filter: value N, errno N, trap N (SIGSYS
 *                                          with the data of SECCOMP_RET_TRAP), or killed SIGNAL
 *
 * ABI is "native", or on x86_64 "int80"; numbers and arguments are hexadecimal. Every request runs in a process of its
 * own, which can only write to memory that it shares with this one.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <inttypes.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { running, refused, loaded, returned, trapped };

static volatile struct {
	int state;
	long value;
} *shared;

static struct sock_filter filter[BPF_MAXINSNS + 1];
static struct sock_fprog program = { .filter = filter };
static unsigned int flags;

static _Noreturn void finish(int state, long value)
{
	shared->value = value;
	shared->state = state;
	__builtin_trap(); /* A fault needs no system call, so no filter can prevent the process from ending. */
}

static void on_sigsys(int signal, siginfo_t *info, void *context)
{
	(void)signal;
	(void)context;
	finish(trapped, info->si_errno);
}

static void load(void)
{
	struct sigaction action = { .sa_sigaction = on_sigsys, .sa_flags = SA_SIGINFO };

	sigaction(SIGSYS, &action, NULL);
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program))
		finish(refused, errno);
}

/* A call without the C library, which would treat -4095 to -1 as errors; the parent does so. */
static long native(const uint64_t *a)
{
#if defined(__x86_64__)
	register uint64_t r10 __asm__("r10") = a[4], r8 __asm__("r8") = a[5], r9 __asm__("r9") = a[6];
	long value;

	__asm__ volatile("syscall" : "=a"(value) : "a"(a[0]), "D"(a[1]), "S"(a[2]), "d"(a[3]), "r"(r10), "r"(r8), "r"(r9)
			 : "rcx", "r11", "memory");
	return value;
#else
	long value = syscall(a[0], a[1], a[2], a[3], a[4], a[5], a[6]);

	return value == -1 ? -errno : value;
#endif
}

#if defined(__x86_64__)
/* A call of the 32-bit ABI, which a 64-bit program can make too. The sixth argument is in ebp, which the compiler may
 * need for itself: it waits in r12 meanwhile. */
static long int80(const uint64_t *a)
{
	long value;
	register uint64_t sixth __asm__("r12") = a[6];

	__asm__ volatile("xchg %%r12, %%rbp\n\tint $0x80\n\txchg %%r12, %%rbp"
			 : "=a"(value), "+r"(sixth)
			 : "a"(a[0]), "b"(a[1]), "c"(a[2]), "d"(a[3]), "S"(a[4]), "D"(a[5])
			 : "r8", "r9", "r10", "r11", "memory");
	return (int)value;
}
#else
#define int80 native
#endif

static void report(pid_t pid)
{
	int status;

	if (waitpid(pid, &status, 0) != pid) {
		perror("attempt: waitpid");
		exit(1);
	}
	switch (shared->state) {
	case running:
		printf(WIFSIGNALED(status) ? "killed %d\n" : "exited %d\n",
		       WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
		break;
	case refused:
		printf("error %ld\n", shared->value);
		break;
	case loaded:
		printf("loaded\n");
		break;
	case trapped:
		printf("trap %ld\n", shared->value);
		break;
	default:
		if (shared->value < 0 && shared->value >= -4095)
			printf("errno %ld\n", -shared->value);
		else
			printf("value %ld\n", shared->value);
	}
	fflush(stdout);
}

static void attempt(int narrow, const uint64_t *call)
{
	pid_t pid;

	shared->state = running;
	pid = fork();
	if (pid < 0) {
		perror("attempt: fork");
		exit(1);
	}
	if (pid == 0) {
		load();
		if (!call)
			finish(loaded, 0);
		finish(returned, narrow ? int80(call) : native(call));
	}
	report(pid);
}

static void read_filter(const char *hex)
{
	unsigned char *bytes = (unsigned char *)filter;
	unsigned int byte;
	size_t n = 0;

	for (; n < sizeof(filter) && sscanf(hex + 2 * n, "%2x", &byte) == 1; n++)
		bytes[n] = byte;
	program.len = n / sizeof(filter[0]);
}

int main(void)
{
	static char line[1 << 17];
	char abi[16];
	uint64_t call[7];
	int used;

	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED) {
		perror("attempt: mmap");
		return 1;
	}
	setrlimit(RLIMIT_CORE, &(struct rlimit){ 0, 0 });
	while (fgets(line, sizeof(line), stdin)) {
		if (sscanf(line, "filter %x %n", &flags, &used) == 1) {
			read_filter(line + used);
			attempt(0, NULL);
		} else if (sscanf(line, "call %15s %" SCNx64 " %" SCNx64 " %" SCNx64 " %" SCNx64 " %" SCNx64 " %" SCNx64 " %" SCNx64,
				  abi, &call[0], &call[1], &call[2], &call[3], &call[4], &call[5], &call[6]) == 8) {
			attempt(!strcmp(abi, "int80"), call);
		} else {
			fprintf(stderr, "attempt: cannot read: %s", line);
			return 1;
		}
	}
	return 0;
}
