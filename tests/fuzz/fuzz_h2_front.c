/* SPDX-License-Identifier: MIT */
#include "../unit/h2_owner.h"
#include "h2_pipe.h"

/* The first byte says how long the pieces are; the rest are frames behind the preface. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct h2_pipe   pipe = {.carrier = {.ops = &pipe_ops}, .first = SPAN("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")};
	struct h2_owner *o;
	struct loop     *loop;
	struct watch     idle = {0};

	if (n < 1)
		return 0;
	o = calloc(1, sizeof *o);
	loop = loop_new();
	CHECK(o && loop);
	watch_init_idle(&idle, loop, on_turn, NULL);
	pipe.rest = fuzz_input(data + 1, n - 1);
	pipe.step = data[0] & 1 ? 16384 : data[0] + 1u;
	o->step = data[0] & 2 ? 5 : 0;
	CHECK(h2_owner_start(o, loop, -1, 4, 2000));
	side_carry(&o->side, &pipe.carrier);
	for (int i = 0; i < 20000 && !o->ended; i++)
		turn(loop, &idle);
	h2_owner_stop(o);
	turn(loop, &idle);
	watch_clear(&idle);
	loop_free(loop);
	free(o);
	return 0;
}
