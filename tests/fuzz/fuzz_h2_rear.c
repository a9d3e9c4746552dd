/* SPDX-License-Identifier: MIT */
#include "h2/rear.h"
#include "h2_pipe.h"

#define ASKERS 3

struct asker {
	struct side side;
	size_t      got, step;
	bool        over;
};

struct scene {
	struct rear *rear;
	struct side  side;
	struct asker askers[ASKERS];
	bool         ended;
};

static void
on_end(void *arg)
{
	struct scene *s = arg;

	s->ended = true;
	rear_free(s->rear);
	s->rear = NULL;
}

static void
on_side(void *arg, unsigned what)
{
	struct scene *s = arg;

	side_note(&s->side, what);
	if (s->rear)
		rear_on_event(s->rear);
}

static void
on_asker(void *arg, unsigned what)
{
	struct asker *a = arg;
	char          buf[3000];
	ssize_t       n;

	side_note(&a->side, what);
	while (!a->over) {
		n = side_read(&a->side, buf, a->step);
		if (n < 0 && errno == EAGAIN)
			return;
		if (n <= 0) {
			a->over = true;
			side_close(&a->side);
			return;
		}
		a->got += (size_t)n;
	}
}

/* The first byte says how long the pieces are; the rest are an origin's frames to a GET, a HEAD and a POST. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static const char *const requests[ASKERS] = {
		"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
		"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nx: y\r\n\r\n",
	};
	struct h2_pipe pipe = {.carrier = {.ops = &pipe_ops}};
	struct scene   s = {.side = {.fd = -1}};
	struct loop   *loop;
	struct watch   idle = {0};

	if (n < 1)
		return 0;
	loop = loop_new();
	CHECK(loop);
	watch_init_idle(&idle, loop, on_turn, NULL);
	pipe.rest = fuzz_input(data + 1, n - 1);
	pipe.step = data[0] & 1 ? 16384 : data[0] + 1u;
	watch_init_idle(&s.side.watch, loop, on_side, &s);
	side_carry(&s.side, &pipe.carrier);
	CHECK((s.rear = rear_new(loop, &s.side, 2000, on_end, &s)));
	for (int i = 0; i < ASKERS; i++) {
		struct asker   *a = &s.askers[i];
		struct carrier *c = rear_stream(s.rear);
		CHECK(c);
		a->side.fd = -1;
		a->step = data[0] & 2 ? 1 : 3000;
		watch_init_idle(&a->side.watch, loop, on_asker, a);
		side_carry(&a->side, c);
		CHECK(side_write(&a->side, span_str(requests[i]), span_of(NULL, 0)) == (ssize_t)strlen(requests[i]));
	}
	for (int i = 0; i < 20000 && !s.ended; i++)
		turn(loop, &idle);
	rear_free(s.rear);
	turn(loop, &idle);
	for (int i = 0; i < ASKERS; i++)
		side_close(&s.askers[i].side);
	side_close(&s.side);
	watch_clear(&idle);
	loop_free(loop);
	return 0;
}
