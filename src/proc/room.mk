libpostern_a_SOURCES += \
	src/proc/admin.c src/proc/admin.h \
	src/proc/admin_http.c src/proc/admin_http.h \
	src/proc/admin_main.c \
	src/proc/answer_doctor.c \
	src/proc/answer_evidence.c \
	src/proc/answer_lists.c \
	src/proc/answer_rules.c \
	src/proc/answers.c \
	src/proc/authd.c \
	src/proc/bureaus.c src/proc/bureaus.h \
	src/proc/census.c src/proc/census.h \
	src/proc/child.c src/proc/child.h \
	src/proc/commands.c src/proc/commands.h \
	src/proc/control.c src/proc/control.h \
	src/proc/control_place.c \
	src/proc/crew.c src/proc/crew.h \
	src/proc/doctor_main.c \
	src/proc/ends.c src/proc/ends.h \
	src/proc/hand_over.c \
	src/proc/heir.c \
	src/proc/history.c src/proc/history.h \
	src/proc/keys.c src/proc/keys.h \
	src/proc/keytabs.c src/proc/keytabs.h \
	src/proc/ledger.c src/proc/ledger.h \
	src/proc/legacy.c src/proc/legacy.h \
	src/proc/logger.c src/proc/logger.h \
	src/proc/logger_main.c \
	src/proc/member.c src/proc/member.h \
	src/proc/metrics_text.c src/proc/metrics_text.h \
	src/proc/parent.c src/proc/parent.h \
	src/proc/parent_inside.h \
	src/proc/pid_file.c src/proc/pid_file.h \
	src/proc/ports.c src/proc/ports.h \
	src/proc/pulse.c src/proc/pulse.h \
	src/proc/reload.c \
	src/proc/roles.c src/proc/roles.h \
	src/proc/rounds.c src/proc/rounds.h \
	src/proc/sandbox.c src/proc/sandbox.h \
	src/proc/secrets.c src/proc/secrets.h \
	src/proc/sightings.c src/proc/sightings.h \
	src/proc/signer.c \
	src/proc/signer_ca.c src/proc/signer_ca.h \
	src/proc/signer_keys.c src/proc/signer_keys.h \
	src/proc/signer_peers.c src/proc/signer_peers.h \
	src/proc/status.c src/proc/status.h \
	src/proc/status_doctor.c src/proc/status_inside.h \
	src/proc/status_assets.h \
	src/proc/status_html.c \
	src/proc/status_json.c \
	src/proc/tell.c src/proc/tell.h \
	src/proc/upgrade.c src/proc/upgrade.h \
	src/proc/worker.c

# what the status page consists of beside its figures, as C
STATUS_ASSETS = $(srcdir)/src/proc/status.css $(srcdir)/src/proc/status.js $(srcdir)/src/proc/status.svg
nodist_libpostern_a_SOURCES = status_assets.c
status_assets.c: $(srcdir)/src/proc/status_assets.awk $(STATUS_ASSETS)
	$(AM_V_GEN)LC_ALL=C $(AWK) -f $(srcdir)/src/proc/status_assets.awk $(STATUS_ASSETS) > $@.part && mv $@.part $@
CLEANFILES += status_assets.c status_assets.c.part
