;; Memory: 16 a result (tag, then pointer and length of a list or text), 32 the record of `describe`, 1016 the number of
;; columns, 1024 the state: a count, then a sum a column (f64). The heap starts at 8192 and is empty between calls.
(module
  (memory (export "memory") 2)
  (global $heap (mut i32) (i32.const 8192))
  (global $calls (mut i32) (i32.const 0))
  (data (i32.const 32) "\40\00\00\00\04\00\00\00\50\00\00\00\05\00\00\00\01")
  (data (i32.const 64) "mean")
  (data (i32.const 80) "0.1.0")
  (data (i32.const 96) "no such thing")

  (func $alloc (export "cabi_realloc") (param $old i32) (param $was i32) (param $align i32) (param $size i32) (result i32)
    (local $at i32)
    (local.set $at (i32.and
      (i32.add (global.get $heap) (i32.sub (local.get $align) (i32.const 1)))
      (i32.sub (i32.const 0) (local.get $align))))
    (global.set $heap (i32.add (local.get $at) (local.get $size)))
    (block $fits (loop $more
      (br_if $fits (i32.le_u (global.get $heap) (i32.shl (memory.size) (i32.const 16))))
      (br_if $more (i32.ne (memory.grow (i32.const 1)) (i32.const -1)))
      unreachable))
    (local.get $at))

  (func (export "cabi_post_describe") (export "cabi_post_init") (export "cabi_post_fit") (export "cabi_post_update")
    (export "cabi_post_score") (export "cabi_post_save") (export "cabi_post_load") (param i32)
    (global.set $heap (i32.const 8192)))

  (func $ok (result i32)
    (i32.store8 (i32.const 16) (i32.const 0))
    (i32.const 16))

  (func $list (param $at i32) (param $length i32) (result i32)
    (i32.store8 (i32.const 16) (i32.const 0))
    (i32.store (i32.const 20) (local.get $at))
    (i32.store (i32.const 24) (local.get $length))
    (i32.const 16))

  (func $error (param $at i32) (param $length i32) (result i32)
    (drop (call $list (local.get $at) (local.get $length)))
    (i32.store8 (i32.const 16) (i32.const 1))
    (i32.const 16))

  (func $columns (result i32) (i32.load (i32.const 1016)))

  ;; Bytes of the state.
  (func $size (result i32) (i32.shl (i32.add (call $columns) (i32.const 1)) (i32.const 3)))

  (func $learn (param $rows i32) (param $length i32) (result i32)
    (local $i i32) (local $at i32)
    (block $done (loop $next
      (br_if $done (i32.ge_u (local.get $i) (local.get $length)))
      (local.set $at (i32.add (i32.const 1032)
        (i32.shl (i32.rem_u (local.get $i) (call $columns)) (i32.const 3))))
      (f64.store (local.get $at) (f64.add (f64.load (local.get $at))
        (f64.promote_f32 (f32.load (i32.add (local.get $rows) (i32.shl (local.get $i) (i32.const 2)))))))
      (local.set $i (i32.add (local.get $i) (i32.const 1)))
      (br $next)))
    (f64.store (i32.const 1024) (f64.add (f64.load (i32.const 1024))
      (f64.convert_i32_u (i32.div_u (local.get $length) (call $columns)))))
    (call $ok))

  ;; The farthest |x - mean| of a row, as d / (1 + d).
  (func $distance (param $row i32) (result f32)
    (local $i i32) (local $d f32) (local $far f32)
    (loop $next
      (local.set $d (f32.abs (f32.sub
        (f32.load (i32.add (local.get $row) (i32.shl (local.get $i) (i32.const 2))))
        (f32.demote_f64 (f64.div
          (f64.load (i32.add (i32.const 1032) (i32.shl (local.get $i) (i32.const 3))))
          (f64.load (i32.const 1024)))))))
      (if (f32.gt (local.get $d) (local.get $far)) (then (local.set $far (local.get $d))))
      (local.set $i (i32.add (local.get $i) (i32.const 1)))
      (br_if $next (i32.lt_u (local.get $i) (call $columns))))
    (if (result f32) (f32.eq (local.get $far) (f32.const inf))
      (then (f32.const 1))
      (else (f32.div (local.get $far) (f32.add (f32.const 1) (local.get $far))))))

  ;; Scores into a fresh list; the number of rows is in the answer's length.
  (func $scores (param $rows i32) (param $length i32) (result i32)
    (local $out i32) (local $n i32) (local $i i32)
    (local.set $n (i32.div_u (local.get $length) (call $columns)))
    (local.set $out (call $alloc (i32.const 0) (i32.const 0) (i32.const 4) (i32.shl (local.get $n) (i32.const 2))))
    (block $done (loop $next
      (br_if $done (i32.ge_u (local.get $i) (local.get $n)))
      (f32.store (i32.add (local.get $out) (i32.shl (local.get $i) (i32.const 2)))
        (call $distance (i32.add (local.get $rows)
          (i32.shl (i32.mul (local.get $i) (call $columns)) (i32.const 2)))))
      (local.set $i (i32.add (local.get $i) (i32.const 1)))
      (br $next)))
    (call $list (local.get $out) (local.get $n)))

  (func (export "describe") (result i32) {describe})
  (func (export "init") (param $config i32) (param $settings i32) (param $names i32) (param $columns i32) (param $seed i64)
    (result i32) {init})
  (func (export "fit") (param $rows i32) (param $length i32) (result i32) {fit})
  (func (export "update") (param $rows i32) (param $length i32) (result i32) {update})
  (func $score (export "score") (param $rows i32) (param $length i32) (result i32) {score})
  (func (export "save") (result i32) {save})
  (func (export "load") (param $state i32) (param $length i32) (result i32) {load})
)
