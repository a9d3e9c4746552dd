# files of this room
postern_SOURCES += \
	src/cli/ask.c src/cli/ask.h \
	src/cli/auth.c \
	src/cli/ca.c src/cli/ca.h \
	src/cli/ca_show.c \
	src/cli/check.c src/cli/check.h \
	src/cli/check_key.c \
	src/cli/cli.c src/cli/cli.h \
	src/cli/control.c \
	src/cli/explain.c src/cli/explain.h \
	src/cli/explain_print.c \
	src/cli/explain_request.c \
	src/cli/passwd.c \
	src/cli/password.c src/cli/password.h \
	src/cli/run.c \
	src/cli/top.c src/cli/top.h \
	src/cli/top_data.c \
	src/cli/top_screen.c
