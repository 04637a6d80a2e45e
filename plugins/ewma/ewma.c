/* Exponentially weighted moving averages (Roberts 1959): small shifts add up, old rows fade.
 *
 * The same chart as the native detector `Ewma` (engine/detect/src/streaming/ewma.rs), operation for operation, so that
 * both give the same bits. `lambda` is the weight of the newest row, in (0, 1].
 */
#include <wasm_simd128.h>

#include "phalanx_plugin.h"

/* Deviations beyond this many sigmas count as this many. */
#define SIGMAS_MAX 1e9
/* Runs that sums are made of: part of the result. */
#define SUM_CHUNK 256

static uint32_t columns;
static double lambda = 0.2;

/* The state: `faded`, then the means, deviations and averages of all columns. */
static double *state;
#define faded state[0]
#define mean(i) state[1 + (i)]
#define sd(i) state[1 + columns + (i)]
#define average(i) state[1 + 2 * columns + (i)]
#define STATE_BYTES ((1 + 3 * columns) * 8)

phalanx_info *describe(void) {
    static phalanx_info info = {phalanx_literal("ewma"), phalanx_literal("0.1.0"), PHALANX_STREAMING};
    return &info;
}

phalanx_answer *init(const phalanx_setting *config, uint32_t settings, const phalanx_text *names, uint32_t count,
                     uint64_t seed) {
    (void)names, (void)seed;
    for (uint32_t i = 0; i < settings; i++) {
        if (!phalanx_is(config[i].name, "lambda") || config[i].kind != PHALANX_NUMBER)
            return phalanx_error("the only setting is `lambda`, a number");
        lambda = config[i].value.number;
        if (!(lambda > 0.0 && lambda <= 1.0)) return phalanx_error("`lambda` must be above 0 and at most 1");
    }
    columns = count;
    state = phalanx_alloc(STATE_BYTES);
    faded = 1.0;
    for (uint32_t i = 0; i < columns; i++) mean(i) = sd(i) = average(i) = 0.0;
    return phalanx_ok();
}

static double sum(const double *values, uint32_t count) {
    double total = 0.0;
    for (uint32_t start = 0; start < count; start += SUM_CHUNK) {
        double part = 0.0;
        for (uint32_t i = start; i < count && i < start + SUM_CHUNK; i++) part += values[i];
        total += part;
    }
    return total;
}

phalanx_answer *fit(const float *rows, uint32_t length) {
    uint32_t count = length / columns;
    double *off = phalanx_alloc(count * 8);
    for (uint32_t i = 0; i < columns; i++) {
        double origin = rows[i];
        for (uint32_t r = 0; r < count; r++) off[r] = (double)rows[r * columns + i] - origin;
        double shift = sum(off, count) / count;
        for (uint32_t r = 0; r < count; r++) off[r] = (off[r] - shift) * (off[r] - shift);
        mean(i) = origin + shift;
        sd(i) = __builtin_sqrt(sum(off, count) / count);
        average(i) = 0.0;
    }
    faded = 1.0;
    return phalanx_ok();
}

/* Deviation from the mean in standard deviations. */
static double sigmas(uint32_t i, float value) {
    double off = (double)value - mean(i);
    if (off == 0.0) return 0.0;
    double far = off / sd(i);
    return far > SIGMAS_MAX ? SIGMAS_MAX : far < -SIGMAS_MAX ? -SIGMAS_MAX : far;
}

/* The average after one more value. */
static double next(uint32_t i, float value) { return (1.0 - lambda) * average(i) + lambda * sigmas(i, value); }

static double next_faded(void) {
    double keep = 1.0 - lambda;
    return faded * (keep * keep);
}

phalanx_answer *update(const float *rows, uint32_t length) {
    for (const float *row = rows; row < rows + length; row += columns) {
        for (uint32_t i = 0; i < columns; i++) average(i) = next(i, row[i]);
        faded = next_faded();
    }
    return phalanx_ok();
}

/* The farthest that an average would be after the row, two columns at a time; `kept` is (1 - lambda) * average. */
static double farthest(const float *row, const double *kept) {
    const v128_t most = wasm_f64x2_splat(SIGMAS_MAX), least = wasm_f64x2_splat(-SIGMAS_MAX);
    const v128_t weight = wasm_f64x2_splat(lambda), zero = wasm_f64x2_splat(0.0);
    v128_t fars = zero;
    uint32_t i = 0;
    for (; i + 2 <= columns; i += 2) {
        v128_t value = wasm_f64x2_promote_low_f32x4(wasm_v128_load64_zero(row + i));
        v128_t off = wasm_f64x2_sub(value, wasm_v128_load(&mean(i)));
        v128_t far = wasm_f64x2_div(off, wasm_v128_load(&sd(i)));
        far = wasm_f64x2_pmax(wasm_f64x2_pmin(far, most), least);
        far = wasm_v128_andnot(far, wasm_f64x2_eq(off, zero));
        far = wasm_f64x2_add(wasm_v128_load(kept + i), wasm_f64x2_mul(weight, far));
        fars = wasm_f64x2_pmax(fars, wasm_f64x2_abs(far));
    }
    double far = wasm_f64x2_extract_lane(fars, 0), other = wasm_f64x2_extract_lane(fars, 1);
    if (other > far) far = other;
    if (i < columns) {
        double last = __builtin_fabs(next(i, row[i]));
        if (last > far) far = last;
    }
    return far;
}

phalanx_answer *score(const float *rows, uint32_t length) {
    uint32_t count = length / columns;
    float *scores = phalanx_alloc(count * 4);
    double *kept = phalanx_alloc(columns * 8);
    for (uint32_t i = 0; i < columns; i++) kept[i] = (1.0 - lambda) * average(i);
    double deviation = __builtin_sqrt(lambda / (2.0 - lambda) * (1.0 - next_faded()));
    for (uint32_t r = 0; r < count; r++) {
        double x = farthest(rows + r * columns, kept) / deviation;
        scores[r] = (float)(x / (1.0 + x));
    }
    return phalanx_list(scores, count);
}

phalanx_answer *save(void) { return phalanx_list(state, STATE_BYTES); }

phalanx_answer *load(const uint8_t *bytes, uint32_t length) {
    if (length != STATE_BYTES) return phalanx_error("not a state of this many columns");
    __builtin_memcpy(state, bytes, length);
    int fine = faded >= 0.0 && faded <= 1.0;
    for (uint32_t i = 0; i < columns; i++) {
        fine &= __builtin_isfinite(mean(i)) && __builtin_isfinite(average(i));
        fine &= __builtin_isfinite(sd(i)) && sd(i) >= 0.0;
    }
    return fine ? phalanx_ok() : phalanx_error("a state with impossible numbers");
}
