/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* What becomes of an act: decided first, told after. */
#ifndef VEDETTE_ENFORCE_JUDGE_H
#define VEDETTE_ENFORCE_JUDGE_H

#include "enforce_locate.h"
#include "enforce_tell.h"
#include "enforce_trust.h"

/* Numbers of the operations' bits, as in pkg/policy. */
#define OP_WRITE 0
#define OP_CREATE 1
#define OP_DELETE 2
#define OP_RENAME 3
#define OP_LINK 4
#define OP_ATTRIBUTES 5
#define OP_MOUNT 6
#define OP_READ 7
#define OP_EXECUTE 8
#define OP_SIGNAL 9
#define OP_PTRACE 10
#define OP_MEMORY 11
#define OP_PRIORITY 12
#define OP_RUN 13
#define OP_CONNECT 14
#define OP_BIND 15
#define OP_ACCEPT 16
#define OP_MODULES 17
#define OP_BPF 18
#define OP_KEXEC 19
#define OP_KERNEL_MOUNT 20
#define OP_KERNEL_PTRACE 21
#define OP_RAW_DEVICES 22
#define OP_TIME 23
#define OP_AGENT_BPF 24

/* These are also about the directories on the way to a path. */
#define WAY_OPERATIONS (1 << OP_DELETE | 1 << OP_RENAME | 1 << OP_MOUNT)

#define S_IFMT 00170000
#define S_IFREG 0100000

/* For how long no agent has run, in ns. */
static __always_inline u64 silence(void)
{
	u64 now = bpf_ktime_get_boot_ns();
	struct current_set *a = in_force();

	return a && now > a->heartbeat ? now - a->heartbeat : 0;
}

/*
 * What one rule about an act says: its bit where it denies it, ALLOWED and all rules of its policy
 * where it allows it to somebody whom it concerns, 0 where it says nothing. Listed are the rules that
 * allow it to all whom they concern.
 */
__noinline u64 ask_rule(u64 who, u64 bit, u64 listed, u64 act, u64 held_by)
{
	u32 at = rule_at(act, bit);
	struct rule *r = bpf_map_lookup_elem(&rules, &at);

	if (!r)
		return bit;
	if (r->loss_after && silence() > r->loss_after)
		return 0;
	if (r->whos && !is_among(who, r->who, r->whos, act, held_by))
		return 0;
	if (listed & bit ||
	    (r->allows && is_among(who, r->allow, r->allows, act | ASK_TRUST, held_by)))
		return ALLOWED | r->policy;
	return bit;
}

/*
 * Of the rules of one word that are about an act, those that deny it: each that concerns whoever acts
 * and does not allow it, where no other one of its policy does. The loop's body is a function, which
 * the verifier looks at once and not for each turn.
 */
__noinline u64 judge_word(u64 who, u64 about, u64 listed, u64 act, u64 held_by)
{
	u64 deny = 0, clear = 0;

	for (u32 i = 0; i < RULES_OF_ACT; i++) {
		u64 bit = about & -about, said;

		if (!bit)
			break;
		about ^= bit;
		said = ask_rule(who, bit, listed, act, held_by);
		if (said & ALLOWED)
			clear |= said;
		else
			deny |= said;
	}
	deny |= about;
	return (deny & ~clear) | (clear & ALLOWED);
}

/* Whether any rule is about one of two operations. Most acts end here: where an object is takes longer. */
static __always_inline bool is_judged(u64 generation, u32 one, u32 other)
{
	return used_operations(generation) & (1ULL << one | 1ULL << other);
}

/*
 * The set that judges an act. One that is judged in several steps names it, as otherwise two sets
 * that both refuse it could each allow the step that it judges.
 */
static __always_inline u64 generation_of(u64 act)
{
	return GENERATION_OF(act) ?: current_generation();
}

static __always_inline bool audit_only(void)
{
	struct current_set *a = in_force();

	return a && *(volatile u64 *)&a->audit_only;
}

/* The rules that are about an object because of where it is, and where asked those about its way. */
static __always_inline void find_rules(struct rule_set *about, struct rule_set *way, u64 object,
				       u64 place, u64 generation)
{
	u64 how = place & LOCATED_HOW;
	struct node *node = place ? node_of(generation, place) : NULL;

	if (!node)
		return;
	for (u32 w = 0; w < RULE_WORDS; w++) {
		u64 rules = node->below.words[w];

		if (how == LOCATED_SELF) {
			rules = node->self.words[w];
			if (way)
				way->words[w] |= node->way.words[w];
		}
		if (how == LOCATED_IN && node->automaton)
			rules = by_patterns(rules, object, node->automaton, w, generation & 1);
		about->words[w] |= rules;
	}
}

static __always_inline bool has_names(struct inode *inode)
{
	return inode && (FIELD(inode, i_mode) & S_IFMT) != S_IFDIR && FIELD(inode, i_nlink) > 1;
}

/* The rules about a file that has several names, because of the others. */
static __always_inline void find_links(struct rule_set *about, struct inode *inode, u64 generation)
{
	struct label_key key = {.generation = generation};
	struct rule_set *set;

	if (!has_names(inode))
		return;
	key.device = device_of(inode);
	key.inode = FIELD(inode, i_ino);
	set = bpf_map_lookup_elem(&links, &key);
	for (u32 w = 0; set && w < RULE_WORDS; w++)
		about->words[w] |= set->words[w];
	key.generation |= NOTED;
	set = bpf_map_lookup_elem(&links, &key);
	for (u32 w = 0; set && w < RULE_WORDS; w++)
		about->words[w] |= set->words[w];
}

/* The rules that list a file's content. */
static __always_inline void find_hashed(struct rule_set *about, struct inode *inode, u64 generation)
{
	struct hashed *h = hashed_as(inode, generation);

	if (!h)
		return;
	for (u32 w = 0; w < RULE_WORDS; w++)
		about->words[w] |= h->rules.words[w];
}

#define JUDGED_REFUSED 1
#define JUDGED_ALLOWED 2 /* by a rule */

/*
 * Judges an act on a file by rules about files. The object is a dentry, one without an inode where
 * it is a name that is to be; the other one is told with it. Where it is may be known, for the generation
 * that the act has.
 */
__noinline u32 judge_at(u64 object, u64 other, u64 act, u64 place)
{
	u64 generation = generation_of(act);
	struct settings *set = settings_of(generation);
	struct rule_set about = {}, way = {};
	u32 one = OPERATION_OF(act), two = OTHER_OF(act), judged = 0;
	u64 held_by = 0;
	bool mild = audit_only();

	if (!set || !generation || !is_judged(generation, one, two))
		return 0;
	find_rules(&about, &way, object, place ?: locate(object, generation), generation);
	if (!(act & NAME_ONLY))
		find_links(&about, FIELD((struct dentry *)object, d_inode), generation);
	act |= IN_GENERATION(generation);
	for (u32 w = 0; w < RULE_WORDS; w++) {
		/* Where there is no second operation no rule names its number. */
		u64 first = set->operations[one].words[w], second = set->operations[two].words[w];
		u64 operations = first | second;
		u64 ways =
			first * (WAY_OPERATIONS >> one & 1) | second * (WAY_OPERATIONS >> two & 1);

		/* From here on the word has the rules that deny the act. */
		about.words[w] = (about.words[w] & operations) | (way.words[w] & ways);
		if (!about.words[w])
			continue;
		if (set->has_places && !held_by)
			held_by = places_of(bpf_get_current_task(), generation);
		about.words[w] = judge_word(bpf_get_current_task(), about.words[w], 0,
					    act | IN_WORD(w), held_by);
		if (about.words[w] & ALLOWED)
			judged |= JUDGED_ALLOWED;
		if (about.words[w] & set->enforce.words[w] && !mild)
			judged |= JUDGED_REFUSED;
	}
	for (u32 w = 0; w < RULE_WORDS; w++)
		if (about.words[w] & ~ALLOWED)
			tell(act | IN_WORD(w), about.words[w] & ~ALLOWED, object, other,
			     (judged & JUDGED_REFUSED) | (mild ? AUDIT_ONLY : 0));
	return judged;
}

static __always_inline u32 judge_file(u64 object, u64 other, u64 act)
{
	return judge_at(object, other, act, NOWHERE);
}

/* A rule's bit where it is about this process, by what it runs or the unit that holds it, else 0. */
__noinline u64 aims_at(u64 bit, u64 target, u64 act, u64 held_by)
{
	u32 at = rule_at(act, bit);
	struct rule *r = bpf_map_lookup_elem(&rules, &at);

	return !r || is_among(target, r->target, r->targets, act, held_by) ? bit : 0;
}

/* Of rules about processes those that are about this one. */
__noinline u64 about_target(u64 about, u64 target, u64 act, u64 held_by)
{
	u64 found = 0;

	for (u32 i = 0; i < RULES_OF_ACT; i++) {
		u64 bit = about & -about;

		if (!bit)
			break;
		about ^= bit;
		found |= aims_at(bit, target, act, held_by);
	}
	return found | about;
}

/*
 * Judges an act that is about no file: of rules about the kernel all that are about the operation, of
 * those about processes those that are about the target.
 */
__noinline u32 judge_plain(u64 who, u64 target, u64 act)
{
	u64 generation = generation_of(act), held_by = 0, holds_target = 0;
	struct settings *set = settings_of(generation);
	struct rule_set about = {};
	u32 one = OPERATION_OF(act), judged = 0;
	bool mild = audit_only();

	if (!set || !generation)
		return 0;
	act |= IN_GENERATION(generation);
	for (u32 w = 0; w < RULE_WORDS; w++) {
		about.words[w] = set->operations[one].words[w];
		if (!about.words[w])
			continue;
		if (set->has_places && !held_by) {
			held_by = places_of(who, generation);
			holds_target = target ? places_of(target, generation) : 0;
		}
		if (target)
			about.words[w] = about_target(about.words[w], target, act | IN_WORD(w),
						      holds_target);
		about.words[w] =
			judge_word(who, about.words[w], 0, act | IN_WORD(w), held_by) & ~ALLOWED;
		if (about.words[w] & set->enforce.words[w] && !mild)
			judged = JUDGED_REFUSED;
	}
	for (u32 w = 0; w < RULE_WORDS; w++)
		if (about.words[w])
			tell(act | IN_WORD(w), about.words[w], target, 0,
			     judged | (mild ? AUDIT_ONLY : 0) | (target ? TELL_PROCESS : 0));
	return judged;
}

/*
 * Judges by rules about exec that a file is run or mapped as code. What is found says which rules
 * list the file.
 */
__noinline u32 judge_run(u64 object, u32 origin, u32 changed, u64 act, u64 place)
{
	u64 generation = GENERATION_OF(act), held_by = 0;
	struct settings *set = settings_of(generation);
	struct rule_set about = {};
	u32 judged = 0;
	bool mild = audit_only();

	if (!set || !generation || !is_judged(generation, OP_RUN, NO_OPERATION))
		return 0;
	find_rules(&about, NULL, object, place, generation);
	find_links(&about, FIELD((struct dentry *)object, d_inode), generation);
	find_hashed(&about, FIELD((struct dentry *)object, d_inode), generation);
	for (u32 w = 0; w < RULE_WORDS; w++) {
		u64 runs = set->operations[OP_RUN].words[w], listed = about.words[w];

		listed |= set->origins[origin & (ORIGINS - 1)].words[w];
		if (changed)
			listed |= set->changed.words[w];
		about.words[w] = runs & (listed | set->only.words[w]);
		if (!about.words[w])
			continue;
		if (set->has_places && !held_by)
			held_by = places_of(bpf_get_current_task(), generation);
		about.words[w] =
			judge_word(bpf_get_current_task(), about.words[w],
				   listed & set->only.words[w], act | IN_WORD(w), held_by) &
			~ALLOWED;
		if (about.words[w] & set->enforce.words[w] && !mild)
			judged = JUDGED_REFUSED;
	}
	for (u32 w = 0; w < RULE_WORDS; w++)
		if (about.words[w])
			tell(act | IN_WORD(w), about.words[w], object, 0,
			     judged | (mild ? AUDIT_ONLY : 0));
	return judged;
}

#endif
