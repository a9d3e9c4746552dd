/* SPDX-License-Identifier: MIT */
/*
 * lockout_fold: under which name the failures of somebody count.
 * Directories know an account by many spellings. Active Directory compares without case, accents, width and the kind of kana, and without characters that
 * its tables do not know; Samba without blanks at the ends. Whoever counted each spelling for itself would let somebody try as many passwords as there are
 * spellings, and the directory would lock the account. So what any of them may take for the same is the same here; that two accounts may share a count is
 * the smaller evil. Nobody is let in by this name.
 */
#include "auth/lockout.h"

#include "auth/ntlm_text.h"
#include "match/fold.h"

/* The letter without its marks, from U+00C0 and from U+1E00 on; '.': other. */
static const char latin[] =
	"aaaaaa.ceeeeiiii.nooooo.ouuuuy..aaaaaa.ceeeeiiii.nooooo.ouuuuy.yaaaaaaccccccccddddeeeeeeeeeegggggggghhhhiiiiiiiii...jjkk.lllllll"
	"lllnnnnnn...oooooo..rrrrrrssssssssttttttuuuuuuuuuuuuwwyyyzzzzzzsbbbb...cc.ddd....ffg...ikkl..nnooo..pp.....ttttuu.vyyzz........."
	".....d..l..n.aaiioouuuuuuuuuu.aaaa..ggggkkoooo..j.d.gg..nnaa..ooaaaaeeeeiiiioooorrrruuuusstt..hhnd..zzaaeeooooooooyylnt...acclts"
	"z..b..eejj.qrryy";
static const char latin_more[] =
	"aabbbbbbccddddddddddeeeeeeeeeeffgghhhhhhhhhhiiiikkkkkkllllllllmmmmmmnnnnnnnnoooooooopppprrrrrrrrssssssssssttttttttuuuuuuuuuuvvvv"
	"wwwwwwwwwwxxxxyyzzzzzzhtwyas....aaaaaaaaaaaaaaaaaaaaaaaaeeeeeeeeeeeeeeeeiiiioooooooooooooooooooooooouuuuuuuuuuuuuuyyyyyyyy....yy";
/* Greek and Cyrillic, small; Greek with two marks stands at U+1F00, sixteen of a letter. */
static const struct {
	uint16_t from, to;
} marked[] = {
	{0x0390, 0x03b9}, {0x03ac, 0x03b1}, {0x03ad, 0x03b5}, {0x03ae, 0x03b7}, {0x03af, 0x03b9}, {0x03b0, 0x03c5}, {0x03c2, 0x03c3}, {0x03ca, 0x03b9},
	{0x03cb, 0x03c5}, {0x03cc, 0x03bf}, {0x03cd, 0x03c5}, {0x03ce, 0x03c9}, {0x0439, 0x0438}, {0x0450, 0x0435}, {0x0451, 0x0435}, {0x0453, 0x0433},
	{0x0457, 0x0456}, {0x045c, 0x043a}, {0x045d, 0x0438}, {0x045e, 0x0443},
};
static const uint16_t greek[16] = {0x3b1, 0x3b5, 0x3b7, 0x3b9, 0x3bf, 0x3c5, 0x3c9, 0, 0x3b1, 0x3b7, 0x3c9, 0x3b1, 0x3b7, 0x3b9, 0x3c5, 0x3c9};
static const struct {
	uint16_t    c;
	const char *text;
} ligatures[] = {
	{0xaa, "a"}, {0xb2, "2"}, {0xb3, "3"}, {0xb9, "1"}, {0xba, "o"}, {0xc6, "ae"}, {0xd0, "d"}, {0xde, "th"}, {0xdf, "ss"}, {0xe6, "ae"}, {0xf0, "d"},
	{0xfe, "th"}, {0x131, "i"}, {0x132, "ij"}, {0x133, "ij"}, {0x152, "oe"}, {0x153, "oe"}, {0x17f, "s"}, {0x1e9e, "ss"},
};

/* The domain is left out, since it says little: "CORP\alice", "alice@corp.example" and "alice" are one account, and a domain that a controller does not
 * know stands for its own, so that each invented one would give new tries. Two of one name in two domains share their count. */
static struct span
account_of(struct span s)
{
	const char *slash = s.n ? memrchr(s.p, '\\', s.n) : NULL;
	const char *at;

	if (slash)
		s = span_of(slash + 1, s.n - (size_t)(slash + 1 - s.p));
	at = s.n ? memchr(s.p, '@', s.n) : NULL;
	if (at && at > s.p)
		s.n = (size_t)(at - s.p);
	while (s.n && (s.p[s.n - 1] == ' ' || s.p[s.n - 1] == '.'))
		s.n--;
	return s;
}

struct pen {
	char  *out;
	size_t n, room;
};

static void
put(struct pen *p, struct span s)
{
	if (s.n > p->room - p->n)
		return;
	memcpy(p->out + p->n, s.p, s.n);
	p->n += s.n;
}

static void
put_letter(struct pen *p, char letter)
{
	if (letter != ' ')
		put(p, span_of(&letter, 1));
}

static uint16_t
greek_of(uint32_t c)
{
	return c >= 0x1f70 && c < 0x1f7e ? greek[(c - 0x1f70) / 2] : greek[c >> 4 & 15];
}

/* True: dealt with. */
static bool
put_latin(struct pen *p, uint32_t c)
{
	char letter = '.';

	for (size_t i = 0; i < sizeof ligatures / sizeof *ligatures; i++)
		if (ligatures[i].c == c) {
			put(p, span_str(ligatures[i].text));
			return true;
		}
	if (c < 0x80)
		letter = (char)c;
	else if (c >= 0xff01 && c < 0xff5f) /* full width */
		letter = (char)(c - 0xff01 + '!');
	else if (c >= 0x24b6 && c < 0x24ea) /* in circles */
		letter = (char)('a' + (c - 0x24b6) % 26);
	else if (c >= 0xc0 && c - 0xc0 < sizeof latin - 1)
		letter = latin[c - 0xc0];
	else if (c >= 0x1e00 && c - 0x1e00 < sizeof latin_more - 1)
		letter = latin_more[c - 0x1e00];
	if (letter == '.' && c >= 0x80 && c != 0xff0e)
		return false;
	put_letter(p, ascii_lower(letter));
	return true;
}

/* Letters of some script; the rest are marks, blanks, signs and what has no weight in a directory's tables. */
static bool
is_letter(uint32_t c)
{
	return (c >= 0xc0 && c < 0x300) || (c >= 0x370 && c < 0x2000) || (c >= 0x3041 && c < 0xd800) || (c >= 0xff66 && c < 0xffa0);
}

static void
put_other(struct pen *p, uint32_t c, struct span as_sent)
{
	char        small[4];
	struct span s = span_of(small, as_sent.n);
	uint16_t    to = c >= 0x1f00 && c < 0x2000 ? greek_of(c) : 0;

	if (!is_letter(c))
		return;
	name_fold(as_sent, small);
	ntlm_text_take(&s, &c);
	for (size_t i = 0; i < sizeof marked / sizeof *marked; i++)
		if (marked[i].from == c)
			to = marked[i].to;
	if (c >= 0x3041 && c < 0x3097) /* hiragana as katakana */
		to = (uint16_t)(c + 0x60);
	if (to >= 0x800) {
		small[0] = (char)(0xe0 | to >> 12);
		small[1] = (char)(0x80 | (to >> 6 & 63));
		small[2] = (char)(0x80 | (to & 63));
	} else if (to) {
		small[0] = (char)(0xc0 | to >> 6);
		small[1] = (char)(0x80 | (to & 63));
	}
	put(p, span_of(small, !to ? as_sent.n : to >= 0x800 ? 3 : 2));
}

size_t
lockout_fold(struct span claimed, char *out, size_t room)
{
	struct span s = account_of(claimed);
	struct pen  p = {out, 0, room};

	while (s.n) {
		struct span before = s;
		uint32_t    c;
		if (!ntlm_text_take(&s, &c)) { /* no UTF-8: as it is */
			put(&p, span_of(s.p, 1));
			s = span_of(s.p + 1, s.n - 1);
		} else if (!put_latin(&p, c)) {
			put_other(&p, c, span_of(before.p, before.n - s.n));
		}
	}
	return p.n;
}
