;; Memory: 16 a result, 32 the record of `describe`, 1024 the state: a count of polls (i64). The heap starts at 8192.
(module
  (memory (export "memory") 2)
  (global $heap (mut i32) (i32.const 8192))
  (data (i32.const 32) "\40\00\00\00\04\00\00\00\50\00\00\00\05\00\00\00")
  (data (i32.const 64) "half")
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

  (func (export "cabi_post_describe") (export "cabi_post_init") (export "cabi_post_decide") (export "cabi_post_learn")
    (export "cabi_post_save") (export "cabi_post_load") (param i32)
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

  (func $verdict (param $case i32) (result i32)
    (i32.store8 (i32.const 16) (i32.const 0))
    (i32.store8 (i32.const 20) (local.get $case))
    (i32.const 16))

  ;; Number of yes ballots; a ballot is 16 bytes with its `yes` at 4.
  (func $yes (param $ballots i32) (param $count i32) (result i32)
    (local $i i32) (local $sum i32)
    (block $done (loop $next
      (br_if $done (i32.ge_u (local.get $i) (local.get $count)))
      (local.set $sum (i32.add (local.get $sum)
        (i32.load8_u offset=4 (i32.add (local.get $ballots) (i32.shl (local.get $i) (i32.const 4))))))
      (local.set $i (i32.add (local.get $i) (i32.const 1)))
      (br $next)))
    (local.get $sum))

  ;; Confirms once more than half of the eligible say yes, rejects once they cannot any more.
  (func $half (param $eligible i32) (param $ballots i32) (param $count i32) (result i32)
    (local $yes i32)
    (local.set $yes (call $yes (local.get $ballots) (local.get $count)))
    (if (i32.gt_u (i32.shl (local.get $yes) (i32.const 1)) (local.get $eligible))
      (then (return (call $verdict (i32.const 1)))))
    (if (i32.ge_u (i32.shl (i32.sub (local.get $count) (local.get $yes)) (i32.const 1)) (local.get $eligible))
      (then (return (call $verdict (i32.const 2)))))
    (call $verdict (i32.const 0)))

  (func (export "describe") (result i32) {describe})
  (func (export "init") (param $config i32) (param $settings i32) (param $seed i64) (result i32) {init})
  (func (export "decide") (param $author i32) (param $eligible i32) (param $trust f64) (param $quorum f64) (param $prior f64)
    (param $expired i32) (param $attempt i32) (param $ballots i32) (param $count i32) (param $standings i32)
    (param $known i32) (result i32) {decide})
  (func (export "learn") (param $ballots i32) (param $count i32) (param $standings i32) (param $known i32)
    (result i32) {learn})
  (func (export "save") (result i32) {save})
  (func (export "load") (param $state i32) (param $length i32) (result i32) {load})
)
