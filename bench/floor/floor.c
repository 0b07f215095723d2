/*
 * floor [-g GROUP]... ROOTFS PROGRAM [ARG...]
 *
 * The smallest set of system calls with which a runtime can start the benchmark's bundle, with no decisions at run
 * time: one clone with the same namespaces, the same mounts, devices, links, masked and read-only paths, pivot_root,
 * loopback up, capabilities, no_new_privs, and exec. With -g the child enters each given control group, which is
 * removed at the end.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/capability.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#define TRY(call) do { if ((call) < 0) { perror(#call); _exit(126); } } while (0)
#define COUNT(a) (sizeof(a) / sizeof(*(a)))

static void enter(const char *group)
{
	char path[4096];
	snprintf(path, sizeof path, "%s/cgroup.procs", group);
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	TRY(fd);
	TRY(write(fd, "0", 1));
	close(fd);
}

static void devices(void)
{
	static const struct { const char *name; int major, minor; } nodes[] = {
		{"dev/null", 1, 3}, {"dev/zero", 1, 5}, {"dev/full", 1, 7},
		{"dev/random", 1, 8}, {"dev/urandom", 1, 9}, {"dev/tty", 5, 0},
	};
	static const char *links[][2] = {
		{"/proc/self/fd", "dev/fd"}, {"/proc/self/fd/0", "dev/stdin"}, {"/proc/self/fd/1", "dev/stdout"},
		{"/proc/self/fd/2", "dev/stderr"}, {"pts/ptmx", "dev/ptmx"},
	};
	for (size_t i = 0; i < COUNT(nodes); i++)
		TRY(mknod(nodes[i].name, S_IFCHR | 0666, makedev(nodes[i].major, nodes[i].minor)));
	for (size_t i = 0; i < COUNT(links); i++)
		TRY(symlink(links[i][0], links[i][1]));
}

static void mounts(void)
{
	const unsigned long nosuid_etc = MS_NOSUID | MS_NOEXEC | MS_NODEV;
	TRY(mount("proc", "proc", "proc", nosuid_etc, NULL));
	TRY(mount("tmpfs", "dev", "tmpfs", MS_NOSUID | MS_STRICTATIME, "mode=755,size=65536k"));
	TRY(mkdir("dev/pts", 0755));
	TRY(mkdir("dev/shm", 0755));
	TRY(mkdir("dev/mqueue", 0755));
	TRY(mount("devpts", "dev/pts", "devpts", MS_NOSUID | MS_NOEXEC, "newinstance,ptmxmode=0666,mode=0620,gid=5"));
	TRY(mount("shm", "dev/shm", "tmpfs", nosuid_etc, "mode=1777,size=65536k"));
	TRY(mount("mqueue", "dev/mqueue", "mqueue", nosuid_etc, NULL));
	TRY(mount("sysfs", "sys", "sysfs", nosuid_etc | MS_RDONLY, NULL));
}

static void covers(void)
{
	static const char *masked[] = {"/proc/kcore", "/proc/keys", "/proc/sysrq-trigger"};
	static const char *readonly[] = {"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys"};
	for (size_t i = 0; i < COUNT(readonly); i++) {
		TRY(mount(readonly[i], readonly[i], NULL, MS_BIND | MS_REC, NULL));
		TRY(mount(NULL, readonly[i], NULL,
			MS_BIND | MS_REMOUNT | MS_RDONLY | MS_NOSUID | MS_NOEXEC | MS_NODEV, NULL));
	}
	for (size_t i = 0; i < COUNT(masked); i++)
		if (access(masked[i], F_OK) == 0)
			TRY(mount("/dev/null", masked[i], NULL, MS_BIND, NULL));
	if (access("/sys/firmware", F_OK) == 0)
		TRY(mount("tmpfs", "/sys/firmware", "tmpfs", MS_RDONLY, NULL));
}

static void loopback(void)
{
	struct ifreq request = {.ifr_name = "lo", .ifr_flags = IFF_UP};
	int s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	TRY(s);
	TRY(ioctl(s, SIOCSIFFLAGS, &request));
	close(s);
}

static void privileges(void)
{
	/* CAP_KILL, CAP_NET_BIND_SERVICE, CAP_AUDIT_WRITE: the bundle's three. */
	const unsigned keep = 1u << 5 | 1u << 10 | 1u << 29;
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2] = {{keep, keep, 0}, {0, 0, 0}};
	for (int c = 0; c < 64 && prctl(PR_CAPBSET_READ, c, 0, 0, 0) >= 0; c++)
		if (c >= 32 || !(keep & 1u << c))
			TRY(prctl(PR_CAPBSET_DROP, c, 0, 0, 0));
	TRY(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
	TRY(syscall(SYS_capset, &header, data));
}

static void child(const char *rootfs, char **argv)
{
	static char *environment[] = {"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", NULL};
	TRY(sethostname("handfast-bench", 14));
	TRY(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
	TRY(mount(rootfs, rootfs, NULL, MS_BIND | MS_REC, NULL));
	TRY(chdir(rootfs));
	mounts();
	devices();
	TRY(syscall(SYS_pivot_root, ".", "."));
	TRY(umount2(".", MNT_DETACH));
	TRY(chdir("/"));
	covers();
	loopback();
	privileges();
	execve(argv[0], argv, environment);
	perror("execve");
	_exit(127);
}

int main(int argc, char **argv)
{
	const char *groups[32];
	int n = 0, option, status;
	while ((option = getopt(argc, argv, "+g:")) == 'g' && n < 32)
		groups[n++] = optarg;
	if (option != -1 || argc - optind < 2) {
		fprintf(stderr, "usage: floor [-g GROUP]... ROOTFS PROGRAM [ARG...]\n");
		return 2;
	}
	for (int i = 0; i < n; i++)
		TRY(mkdir(groups[i], 0755));
	const int flags = CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWNET | SIGCHLD;
	pid_t pid = syscall(SYS_clone, flags, 0, 0, 0, 0);
	TRY(pid);
	if (pid == 0) {
		for (int i = 0; i < n; i++)
			enter(groups[i]);
		child(argv[optind], argv + optind + 1);
	}
	TRY(waitpid(pid, &status, 0));
	for (int i = 0; i < n; i++)
		TRY(rmdir(groups[i]));
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
