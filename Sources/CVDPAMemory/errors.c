#include "vdm_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct code_text {
	int code;
	const char *text;
	const char *remedy;
};

#define CODE_TEXT(name, number, text, remedy) {number, text, remedy},
static const struct code_text texts[] = {{VDM_OK, "no error", ""}, VDM_CODES(CODE_TEXT)};

/* This thread's last error, with its strings. */
struct last_error {
	vdm_error_detail detail;
	char message[1024];
	char remedy[512];
	char line[1600];
};
static _Thread_local struct last_error last;

static const struct code_text *text_of(int code)
{
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		if (texts[i].code == code)
			return &texts[i];
	return NULL;
}

const char *vdm_strerror(int code)
{
	const struct code_text *text = text_of(code);
	return text ? text->text : "unknown code";
}

const char *vdm_remedy(int code)
{
	const struct code_text *text = text_of(code);
	return text ? text->remedy : "";
}

static void copy(char *to, size_t room, const char *from)
{
	snprintf(to, room, "%s", from ? from : "");
}

void cvdm_error_record(const vdm_error_detail *detail)
{
	last.detail = *detail;
	copy(last.message, sizeof(last.message), detail->message);
	copy(last.remedy, sizeof(last.remedy), detail->remedy);
	snprintf(last.line, sizeof(last.line), "%s %s", last.message, last.remedy);
}

int cvdm_error_record_code(int code)
{
	vdm_error_detail detail = {0};
	detail.code = code;
	detail.message = vdm_strerror(code);
	detail.remedy = vdm_remedy(code);
	cvdm_error_record(&detail);
	return code;
}

int vdm_last_error(vdm_error_detail *detail)
{
	if (!detail)
		return VDM_E_NULL_ARGUMENT;
	size_t size = detail->size;
	if (size < sizeof(size_t) + sizeof(int32_t))
		return VDM_E_INVALID_ARGUMENT;
	vdm_error_detail known = last.detail;
	known.size = size;
	known.message = last.message;
	known.remedy = last.remedy;
	memcpy(detail, &known, size < sizeof(known) ? size : sizeof(known));
	return VDM_OK;
}

const char *vdm_last_message(void)
{
	return last.line;
}

uint32_t vdm_version(void)
{
	return VDM_VERSION;
}

void vdm_string_free(char *string)
{
	free(string);
}
