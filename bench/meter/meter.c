/*
 * meter [-t] [-u UID] PROGRAM ARG...
 *
 * For each byte read from standard input, runs the program once and prints one line:
 *
 *     wall-nanoseconds user-microseconds system-microseconds peak-rss-kilobytes wait-status stragglers
 *
 * It is written in C because of the peak: the new program's ru_maxrss includes the memory of the process that calls
 * exec (exec_mmap in fs/exec.c), so a meter of several megabytes would hide every contender smaller than itself.
 *
 * With -t the program's standard streams are a terminal of its own, which nobody reads. With -u it runs as that user and
 * group, without further groups.
 *
 * The numbers are those of the whole process tree: wait4 adds the descendants that the program itself waited for, and
 * the meter is a subreaper that waits for the ones that it did not (they are the stragglers).
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <grp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static long long nanoseconds(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000LL + now.tv_nsec;
}

static long long microseconds(struct timeval t) { return t.tv_sec * 1000000LL + t.tv_usec; }

int main(int argc, char **argv)
{
	extern char **environ;
	char byte;
	const char *terminal = NULL;
	uid_t uid = 0;
	for (; argc > 1 && argv[1][0] == '-'; argv++, argc--) {
		if (strcmp(argv[1], "-t") == 0) {
			int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
			if (master < 0 || grantpt(master) != 0 || unlockpt(master) != 0 || (terminal = ptsname(master)) == NULL) {
				perror("meter: terminal");
				return 1;
			}
			terminal = strdup(terminal);
		} else if (strcmp(argv[1], "-u") == 0 && argc > 2) {
			uid = atoi(argv[2]);
			argv++, argc--;
		}
	}
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (argc < 2 || null < 0 || prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0) {
		perror("meter");
		return 1;
	}
	while (read(0, &byte, 1) == 1) {
		struct rusage use, more;
		int status, ignored;
		long long begin = nanoseconds();
		pid_t pid = vfork();
		if (pid == 0) {
			int in = null;
			if (terminal != NULL && (setsid() < 0 || (in = open(terminal, O_RDWR | O_CLOEXEC)) < 0 ||
						 dup2(in, 2) < 0))
				_exit(126);
			dup2(in, 0);
			dup2(in, 1);
			if (uid != 0 && (setgroups(0, NULL) != 0 || setresgid(uid, uid, uid) != 0 ||
					 setresuid(uid, uid, uid) != 0))
				_exit(126);
			execve(argv[1], argv + 1, environ);
			_exit(127);
		}
		if (pid < 0 || wait4(pid, &status, 0, &use) != pid) {
			perror("meter");
			return 1;
		}
		long long wall = nanoseconds() - begin;
		long long user = microseconds(use.ru_utime), system = microseconds(use.ru_stime), peak = use.ru_maxrss;
		/* Wait up to a second for processes that outlived the program. */
		int stragglers = 0;
		for (int tries = 0; tries < 1000; tries++) {
			pid_t left = wait4(-1, &ignored, WNOHANG, &more);
			if (left < 0)
				break;
			if (left == 0) {
				usleep(1000);
				continue;
			}
			stragglers++;
			user += microseconds(more.ru_utime);
			system += microseconds(more.ru_stime);
			if (more.ru_maxrss > peak)
				peak = more.ru_maxrss;
		}
		printf("%lld %lld %lld %lld %d %d\n", wall, user, system, peak, status, stragglers);
		fflush(stdout);
	}
	return 0;
}
