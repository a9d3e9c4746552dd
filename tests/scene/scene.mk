# Scenes: sessions in a fake network under a pretend clock. The fakes come before the library, so that their net/ is the one that is linked.
check_PROGRAMS += run_scenes
run_scenes_SOURCES = tests/scene/run_scenes.c tests/scene/play.c tests/scene/play.h tests/scene/expect.c tests/scene/script.c tests/scene/script.h \
	tests/scene/trace.c tests/scene/fake_net.c tests/scene/fake_net.h tests/scene/fake_loop.c tests/scene/fake_errand.c \
	tests/scene/fake_desk.c tests/scene/fake_desk.h tests/scene/fake_tls.c tests/scene/fake_tls.h tests/scene/token.c tests/scene/token.h
run_scenes_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=session_accept,--wrap=session_move,--wrap=gateway_forget,--wrap=request_new,--wrap=record_refusal \
	-Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc
run_scenes_LDADD = libpostern.a $(LIBS_ALL)
