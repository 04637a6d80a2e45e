/* The contract of phalanx:plugin/detector@0.1.0 for C: no libc, no generated code. See plugins/wit/plugin.wit.
 *
 * Include this in the one file of your plugin and write the seven functions at its end. Build with the command in
 * README.md, then `runner plugin pack`.
 *
 * Memory: whatever a call receives, and whatever `phalanx_alloc` gives during a call, lives until that call's answer has
 * been read. What `init` receives and allocates lives as long as the instance. There is no `free`.
 */
#ifndef PHALANX_PLUGIN_H
#define PHALANX_PLUGIN_H

#include <stddef.h>
#include <stdint.h>

typedef struct {
    const char *at;
    uint32_t length;
} phalanx_text;

#define phalanx_literal(text) {(text), sizeof(text) - 1}

enum { PHALANX_FLAG = 0, PHALANX_NUMBER = 1, PHALANX_TEXT = 2 };

/* An entry of the scenario's `config`. */
typedef struct {
    phalanx_text name;
    uint8_t kind;
    union {
        uint8_t flag;
        double number;
        phalanx_text text;
    } value;
} phalanx_setting;

enum { PHALANX_BATCH = 0, PHALANX_STREAMING = 1 };

typedef struct {
    phalanx_text name;
    phalanx_text version;
    uint8_t learning;
} phalanx_info;

/* What all calls but `describe` answer with. */
typedef struct {
    uint8_t is_error;
    const void *at;
    uint32_t length;
} phalanx_answer;

_Static_assert(sizeof(phalanx_setting) == 24 && sizeof(phalanx_answer) == 12, "the layout of the canonical ABI");

#define PHALANX_EXPORT(name) __attribute__((export_name(name)))

/* The heap grows from the end of the program's own memory; `phalanx_base` is where it begins anew after each call. */
extern uint8_t __heap_base;
static uint32_t phalanx_base, phalanx_top;

static void *phalanx_alloc_aligned(uint32_t size, uint32_t align) {
    if (phalanx_base == 0) phalanx_base = phalanx_top = (uint32_t)(uintptr_t)&__heap_base;
    uint32_t at = (phalanx_top + align - 1) & -align;
    uint32_t end = at + size;
    uint32_t have = (uint32_t)__builtin_wasm_memory_size(0) << 16;
    if (end < at) __builtin_trap();
    if (end > have && __builtin_wasm_memory_grow(0, (end - have + 0xFFFF) >> 16) == (size_t)-1) __builtin_trap();
    phalanx_top = end;
    return (void *)(uintptr_t)at;
}

/* Memory that lives as the comment at the top says. Its content is not cleared. */
static inline void *phalanx_alloc(uint32_t size) { return phalanx_alloc_aligned(size, 8); }

PHALANX_EXPORT("cabi_realloc")
void *phalanx_realloc(void *old, uint32_t was, uint32_t align, uint32_t size) {
    (void)old, (void)was;
    return phalanx_alloc_aligned(size, align);
}

static inline void phalanx_keep(void *answer) { (void)answer, phalanx_base = phalanx_top; }
static inline void phalanx_reset(void *answer) { (void)answer, phalanx_top = phalanx_base; }

PHALANX_EXPORT("cabi_post_init") void phalanx_post_init(void *answer) { phalanx_keep(answer); }
PHALANX_EXPORT("cabi_post_fit") void phalanx_post_fit(void *answer) { phalanx_reset(answer); }
PHALANX_EXPORT("cabi_post_update") void phalanx_post_update(void *answer) { phalanx_reset(answer); }
PHALANX_EXPORT("cabi_post_score") void phalanx_post_score(void *answer) { phalanx_reset(answer); }
PHALANX_EXPORT("cabi_post_save") void phalanx_post_save(void *answer) { phalanx_reset(answer); }
PHALANX_EXPORT("cabi_post_load") void phalanx_post_load(void *answer) { phalanx_reset(answer); }

static phalanx_answer phalanx_last;

static inline phalanx_answer *phalanx_say(uint8_t is_error, const void *at, uint32_t length) {
    phalanx_last = (phalanx_answer){is_error, at, length};
    return &phalanx_last;
}

/* It went well, and there is nothing to say. */
static inline phalanx_answer *phalanx_ok(void) { return phalanx_say(0, NULL, 0); }
/* A list: `length` floats of scores, or bytes of a state. */
static inline phalanx_answer *phalanx_list(const void *at, uint32_t length) { return phalanx_say(0, at, length); }
/* A text for people; a string literal. */
#define phalanx_error(text) phalanx_say(1, (text), sizeof(text) - 1)

/* Whether a text is a string literal. */
#define phalanx_is(text, literal) phalanx_equal((text), (literal), sizeof(literal) - 1)
static inline int phalanx_equal(phalanx_text text, const char *other, uint32_t length) {
    if (text.length != length) return 0;
    for (uint32_t i = 0; i < length; i++)
        if (text.at[i] != other[i]) return 0;
    return 1;
}

/* The seven functions of a detector. */
PHALANX_EXPORT("describe") phalanx_info *describe(void);
PHALANX_EXPORT("init")
phalanx_answer *init(const phalanx_setting *config, uint32_t settings, const phalanx_text *columns, uint32_t count,
                     uint64_t seed);
PHALANX_EXPORT("fit") phalanx_answer *fit(const float *rows, uint32_t length);
PHALANX_EXPORT("update") phalanx_answer *update(const float *rows, uint32_t length);
PHALANX_EXPORT("score") phalanx_answer *score(const float *rows, uint32_t length);
PHALANX_EXPORT("save") phalanx_answer *save(void);
PHALANX_EXPORT("load") phalanx_answer *load(const uint8_t *state, uint32_t length);

#endif
