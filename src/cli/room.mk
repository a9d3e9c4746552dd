# files of this room
postern_SOURCES += \
	src/cli/ask.c src/cli/ask.h \
	src/cli/auth.c \
	src/cli/built.c src/cli/built.h \
	src/cli/ca.c src/cli/ca.h \
	src/cli/ca_show.c \
	src/cli/check.c src/cli/check.h \
	src/cli/check_key.c \
	src/cli/cli.c src/cli/cli.h \
	src/cli/control.c \
	src/cli/doctor.c src/cli/doctor.h \
	src/cli/doctor_json.c \
	src/cli/doctor_parents.c \
	src/cli/doctor_print.c \
	src/cli/doctor_watch.c \
	src/cli/explain.c src/cli/explain.h \
	src/cli/explain_answer.c \
	src/cli/explain_batch.c \
	src/cli/explain_json.c \
	src/cli/explain_line.c \
	src/cli/explain_log.c \
	src/cli/explain_print.c \
	src/cli/explain_question.c \
	src/cli/import.c src/cli/import.h \
	src/cli/import_m365.c src/cli/import_m365.h \
	src/cli/import_m365_diff.c \
	src/cli/import_squid.c \
	src/cli/passwd.c \
	src/cli/password.c src/cli/password.h \
	src/cli/replay.c src/cli/replay.h \
	src/cli/replay_judge.c \
	src/cli/replay_logged.c \
	src/cli/replay_print.c \
	src/cli/replay_running.c src/cli/replay_running.h \
	src/cli/replay_tally.c \
	src/cli/run.c \
	src/cli/suggest.c src/cli/suggest.h \
	src/cli/suggest_ask.c \
	src/cli/suggest_logs.c \
	src/cli/suggest_print.c \
	src/cli/suggest_remedy.c \
	src/cli/top.c src/cli/top.h \
	src/cli/top_data.c \
	src/cli/top_screen.c
