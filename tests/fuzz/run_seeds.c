/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Runs a fuzz target as an ordinary test: every seed as it stands, then bounded mutations of it
 * (cut at every length, bits flipped, bytes replaced, pieces doubled or removed), always the same.
 *
 *     run_seeds SEEDS_DIR
 *
 * One TAP line per seed. Each seed runs in a child, so that a crash or a hang is one failed line
 * that names the mutation; the input stands on the heap with its exact size, so that the address
 * sanitizer sees a read beyond it.
 */
#include <dirent.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define MAX_SEED_BYTES (4u << 20)
#define CUT_EVERY_BYTE 600u /* seeds up to this size are cut at every length */
#define MAX_CUTS       64u  /* longer ones this often */
#define N_CHANGES      600u
#define SEED_TIME_S    60u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct seed {
	char path[4096];
	const char *name;
	uint8_t *data;
	size_t size;
	unsigned *n_done; /* inputs begun; shared with the parent */
};

static void feed(const struct seed *s, const uint8_t *data, size_t size)
{
	uint8_t *copy = malloc(size ? size : 1);

	if (!copy)
		exit(3);
	++*s->n_done;
	if (size)
		memcpy(copy, data, size);
	(void)LLVMFuzzerTestOneInput(copy, size);
	free(copy);
}

static uint64_t next_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

static size_t below(uint64_t *state, size_t limit)
{
	return (size_t)(next_random(state) % limit);
}

static void cut(const struct seed *s)
{
	size_t step = s->size <= CUT_EVERY_BYTE ? 1 : s->size / MAX_CUTS;

	for (size_t len = 0; len < s->size; len += step)
		feed(s, s->data, len);
}

/* Changes @work (of @size bytes, room for twice as many) once; returns the new size. */
static size_t change(uint8_t *work, size_t size, uint64_t *random)
{
	static const uint8_t edges[] = { 0x00, 0x01, 0x7f, 0x80, 0xff, '\n', ' ', '0', '9', '=' };
	size_t at = below(random, size);
	size_t len = 1 + below(random, size - at);

	switch (below(random, 5)) {
	case 0:
		work[at] ^= (uint8_t)(1u << below(random, 8));
		return size;
	case 1:
		work[at] = edges[below(random, sizeof(edges))];
		return size;
	case 2: /* a piece is missing */
		memmove(work + at, work + at + len, size - at - len);
		return size - len;
	case 3: /* a piece comes twice */
		memmove(work + at + len, work + at, size - at);
		return size + len;
	default: /* a number of two or four bytes is huge */
		memset(work + at, 0xff, len < 4 ? len : 4);
		return size;
	}
}

static void mutate(const struct seed *s)
{
	uint64_t random = 0x9e3779b97f4a7c15u ^ s->size;
	uint8_t *work = malloc(2 * s->size);

	if (!work)
		exit(3);
	for (unsigned i = 0; i < N_CHANGES; i++) {
		size_t size = s->size;

		memcpy(work, s->data, size);
		for (size_t n = 1 + below(&random, 3); n > 0 && size > 0 && size <= s->size; n--)
			size = change(work, size, &random);
		feed(s, work, size);
	}
	free(work);
}

static _Noreturn void child(const struct seed *s)
{
	(void)alarm(SEED_TIME_S);
	feed(s, s->data, s->size);
	cut(s);
	if (s->size > 0)
		mutate(s);
	free(s->data);
	exit(0);
}

static int load(struct seed *s)
{
	FILE *f = fopen(s->path, "rb");

	if (!f)
		return -errno;
	s->data = malloc(MAX_SEED_BYTES);
	if (!s->data) {
		(void)fclose(f);
		return -ENOMEM;
	}
	s->size = fread(s->data, 1, MAX_SEED_BYTES, f);
	(void)fclose(f);
	return s->size == MAX_SEED_BYTES ? -EFBIG : 0;
}

/* True when the target took the seed and all its mutations. */
static int run_seed(struct seed *s, int number)
{
	int status = 0, r = load(s);
	pid_t pid;

	*s->n_done = 0;
	(void)fflush(stdout);
	pid = r < 0 ? -1 : fork();
	if (pid == 0)
		child(s);
	if (pid > 0)
		(void)waitpid(pid, &status, 0);
	free(s->data);
	s->data = NULL;
	if (pid > 0 && status == 0) {
		printf("ok %d %s, %u inputs\n", number, s->name, *s->n_done);
		return 1;
	}
	printf("not ok %d %s\n", number, s->name);
	if (pid < 0)
		printf("# cannot run it: %s\n", strerror(r < 0 ? -r : errno));
	else if (WIFSIGNALED(status))
		printf("# input %u of it: %s\n", *s->n_done, strsignal(WTERMSIG(status)));
	else
		printf("# input %u of it: status %d\n", *s->n_done, WEXITSTATUS(status));
	return 0;
}

static int is_visible(const struct dirent *d)
{
	return d->d_name[0] != '.';
}

int main(int argc, char **argv)
{
	struct dirent **list = NULL;
	struct seed s = { .name = "" };
	int n, n_ok = 0;

	n = argc == 2 ? scandir(argv[1], &list, is_visible, alphasort) : -1;
	s.n_done = mmap(NULL, sizeof(unsigned), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
			-1, 0);
	if (n <= 0 || s.n_done == MAP_FAILED) {
		printf("Bail out! usage: run_seeds SEEDS_DIR, with at least one seed in it\n");
		return 1;
	}
	printf("1..%d\n", n);
	for (int i = 0; i < n; i++) {
		s.name = list[i]->d_name;
		(void)snprintf(s.path, sizeof(s.path), "%s/%s", argv[1], s.name);
		n_ok += run_seed(&s, i + 1);
	}
	for (int i = 0; i < n; i++)
		free(list[i]);
	free(list);
	(void)munmap(s.n_done, sizeof(unsigned));
	return n_ok == n ? 0 : 1;
}
