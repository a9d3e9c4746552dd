/* SPDX-License-Identifier: MIT */
#include "lint/shipped.h"

const char *const shipped_endpoint[SHIPPED_COUNT] = {
	"https://v10c.events.data.microsoft.com",
	"https://v10.events.data.microsoft.com",
	"https://v20.events.data.microsoft.com",
	"https://v10.vortex-win.data.microsoft.com",
	"https://vortex-win.data.microsoft.com",
	"https://settings-win.data.microsoft.com",
	"http://adl.windows.com",
	"https://watson.telemetry.microsoft.com",
	"https://oca.telemetry.microsoft.com",
	"https://umwatsonc.events.data.microsoft.com",
	"https://kmwatsonc.events.data.microsoft.com",
	"https://ceuswatcab01.blob.core.windows.net",
	"https://ceuswatcab02.blob.core.windows.net",
	"https://eaus2watcab01.blob.core.windows.net",
	"https://eaus2watcab02.blob.core.windows.net",
	"https://weus2watcab01.blob.core.windows.net",
	"https://weus2watcab02.blob.core.windows.net",
	"https://login.live.com",
	"https://aka.ms",
	"https://graph.windows.net",
	"https://*.events.data.microsoft.com",
	"https://*.manage.microsoft.com",
};
