/*
 * oracle compiles seccomp profiles with libseccomp, as runc does, so that tests can compare the results. It reads one
 * request per line from standard input, and writes one reply per line to standard output.
 *
 *   version                      -> version MAJOR.MINOR.MICRO
 *   resolve ARCH NAME            -> number N, or "unknown" if no table has the name
 *   name ARCH NUMBER             -> name NAME, or "unknown"
 *   begin HOST DEFAULT OPTIMIZE  -> nothing; a new profile. HOST is the ARCH of its machine
 *   arch ARCH                    -> nothing
 *   rule ACTION NAME [INDEX OP VALUE VALUETWO]...    -> nothing
 *   end                          -> program HEX (struct sock_filter, in the host's byte order), or
 *                                   error ERRNO CALL, or "hang" if libseccomp did not return, or "crash"
 *
 * Values are hexadecimal, actions numbers, hexadecimal with 0x; ARCH is libseccomp's token as a number.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <inttypes.h>
#include <seccomp.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <unistd.h>

enum { max_rules = 8192, max_args = 8, max_archs = 32 };

struct rule {
	uint32_t action;
	char name[64];
	int args;
	struct scmp_arg_cmp arg[max_args];
};

static uint32_t host, archs[max_archs], default_action;
static int arch_count, optimize, rule_count;
static struct rule rules[max_rules];

/* Where to continue after libseccomp has failed, has not returned, or has crashed. */
static sigjmp_buf out;

enum { refused = 1, hung, crashed };

/* refuse reports that libseccomp has refused a call, and abandons the compilation. */
static void refuse(const char *call, int err)
{
	printf("error %d %s\n", -err, call);
	siglongjmp(out, refused);
}

static void on_signal(int number)
{
	siglongjmp(out, number == SIGVTALRM ? hung : crashed);
}

/* same_argument reports whether two conditions of a rule have the same argument: runc makes a rule of each then. */
static int same_argument(const struct rule *r)
{
	int seen[6] = { 0 };

	for (int i = 0; i < r->args; i++)
		if (seen[r->arg[i].arg]++)
			return 1;
	return 0;
}

static void add(scmp_filter_ctx ctx, const struct rule *r)
{
	int number, err = 0;

	if (r->action == default_action)
		return;
	number = seccomp_syscall_resolve_name(r->name);
	if (number == __NR_SCMP_ERROR)
		return;
	if (!same_argument(r)) {
		err = seccomp_rule_add_array(ctx, r->action, number, r->args, r->arg);
	} else {
		for (int i = 0; i < r->args && !err; i++)
			err = seccomp_rule_add_array(ctx, r->action, number, 1, &r->arg[i]);
	}
	if (err)
		refuse(r->name, err);
}

/* export writes the program of a filter. */
static void export(scmp_filter_ctx ctx)
{
	FILE *f = fdopen(memfd_create("program", 0), "w+");
	int c, err;

	if (!f) {
		perror("oracle: memfd_create");
		exit(1);
	}
	if ((err = seccomp_export_bpf(ctx, fileno(f)))) {
		fclose(f);
		refuse("seccomp_export_bpf", err);
	}
	rewind(f);
	printf("program ");
	while ((c = getc(f)) != EOF)
		printf("%02x", c);
	printf("\n");
	fclose(f);
}

static void build(scmp_filter_ctx ctx)
{
	int err;

	if (host != seccomp_arch_native() && ((err = seccomp_arch_remove(ctx, seccomp_arch_native())) ||
					      (err = seccomp_arch_add(ctx, host))))
		refuse("seccomp_arch_remove", err);
	for (int i = 0; i < arch_count; i++)
		if ((err = seccomp_arch_add(ctx, archs[i])) && err != -EEXIST)
			refuse("seccomp_arch_add", err);
	if (optimize && (err = seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE, optimize)))
		refuse("seccomp_attr_set", err);
	for (int i = 0; i < rule_count; i++)
		add(ctx, &rules[i]);
	export(ctx);
}

/* end compiles the profile. For some profiles libseccomp loops forever, which a signal ends. */
static void end(void)
{
	static scmp_filter_ctx ctx; /* Static, because it is read after a jump. */
	const struct itimerval patience = { .it_value = { .tv_usec = 100000 } }, none = { 0 };
	int left;

	ctx = seccomp_init(default_action);
	left = sigsetjmp(out, 1);
	if (!left) {
		if (!ctx)
			refuse("seccomp_init", -EINVAL);
		setitimer(ITIMER_VIRTUAL, &patience, NULL);
		build(ctx);
	}
	setitimer(ITIMER_VIRTUAL, &none, NULL);
	if (left == hung || left == crashed) {
		/* The memory may be damaged: start again. The next request has not been sent yet. */
		printf(left == hung ? "hang\n" : "crash\n");
		fflush(stdout);
		execl("/proc/self/exe", "oracle", NULL);
		perror("oracle: /proc/self/exe");
		exit(1);
	}
	seccomp_release(ctx);
	fflush(stdout);
}

static void parse_rule(char *line)
{
	struct rule *r = &rules[rule_count];
	int used;

	memset(r, 0, sizeof(*r));
	if (rule_count == max_rules || sscanf(line, "%" SCNi32 " %63s%n", (int32_t *)&r->action, r->name, &used) != 2) {
		fprintf(stderr, "oracle: rule %s\n", line);
		exit(1);
	}
	rule_count++;
	for (line += used; r->args < max_args; r->args++) {
		struct scmp_arg_cmp *a = &r->arg[r->args];
		unsigned int op;

		if (sscanf(line, " %u %u %" SCNx64 " %" SCNx64 "%n", &a->arg, &op, &a->datum_a, &a->datum_b, &used) != 4)
			return;
		a->op = op;
		line += used;
	}
}

int main(void)
{
	static char line[1 << 16], name[64];
	uint32_t token;
	int number;

	sigset_t none;

	sigemptyset(&none); /* A signal may still be blocked after a restart. */
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGVTALRM, on_signal);
	signal(SIGSEGV, on_signal);
	while (fgets(line, sizeof(line), stdin)) {
		if (!strncmp(line, "rule ", 5)) {
			parse_rule(line + 5);
		} else if (sscanf(line, "begin %" SCNi32 " %" SCNi32 " %d", (int32_t *)&host, (int32_t *)&default_action,
				  &optimize) == 3) {
			arch_count = rule_count = 0;
		} else if (sscanf(line, "arch %" SCNi32, (int32_t *)&token) == 1 && arch_count < max_archs) {
			archs[arch_count++] = token;
		} else if (!strcmp(line, "end\n")) {
			end();
		} else if (sscanf(line, "resolve %" SCNi32 " %63s", (int32_t *)&token, name) == 2) {
			number = seccomp_syscall_resolve_name_arch(token, name);
			if (number == __NR_SCMP_ERROR)
				printf("unknown\n");
			else
				printf("number %d\n", number);
			fflush(stdout);
		} else if (sscanf(line, "name %" SCNi32 " %d", (int32_t *)&token, &number) == 2) {
			char *found = seccomp_syscall_resolve_num_arch(token, number);

			if (found)
				printf("name %s\n", found);
			else
				printf("unknown\n");
			fflush(stdout);
			free(found);
		} else if (!strcmp(line, "version\n")) {
			const struct scmp_version *v = seccomp_version();

			printf("version %u.%u.%u\n", v->major, v->minor, v->micro);
			fflush(stdout);
		} else {
			fprintf(stderr, "oracle: cannot read: %s", line);
			return 1;
		}
	}
	return 0;
}
