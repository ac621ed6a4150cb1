;; Finds the field lines of a head, sixteen bytes at a time (RFC 9112 §5), and recognises known names; and copies what
;; goes on of it.
;;
;; The scanner knows only how a head looks that is in order. Whatever else it meets, and where bytes are missing, it gives up:
;; what is wrong, if anything, the parser in TypeScript says (field-lines.ts). Loads go past `limit`, but nothing
;; that is found there counts.
;;
;; Tables, at $tables; field-scanner.ts writes all but the first two:
;;      0  number of lines found
;;      4  where the value of a Host line begins that needs no further look, 0: none does
;;     16  how the names of a family begin: 16 bytes, with 0x20 set in those of the prefix and zeros behind them
;;     32  ones in the bytes of that prefix, zeros behind them
;;     48  id of the family
;;     49  id of Host
;;     64  id of the only known name with this length and these low five bits of its first byte; 32 each
;;   1088  known names by id, 32 bytes each, with 0x20 set in every byte of the name and zeros behind it
;;   2112  by length, 32 bytes each: ones in the bytes of a name, zeros behind them
(module
  (import "host" "memory" (memory 1))
  (import "host" "tables" (global $tables i32))

  ;; Copies the bytes from $from up to $end to $to, which lie apart. Returns where the copy ends. What is left of the last
  ;; sixteen or eight bytes is written over what is there of it already.
  (func (export "copy") (param $from i32) (param $end i32) (param $to i32) (result i32)
    (local $toEnd i32) (local $last i32)
    (local.set $toEnd (i32.add (local.get $to) (i32.sub (local.get $end) (local.get $from))))
    (local.set $last (i32.sub (local.get $end) (i32.const 16)))
    (if (i32.ge_s (local.get $last) (local.get $from)) (then
      (loop $next
        (v128.store (local.get $to) (v128.load (local.get $from)))
        (local.set $to (i32.add (local.get $to) (i32.const 16)))
        (local.set $from (i32.add (local.get $from) (i32.const 16)))
        (br_if $next (i32.lt_s (local.get $from) (local.get $last))))
      (v128.store (i32.sub (local.get $toEnd) (i32.const 16)) (v128.load (local.get $last)))
      (return (local.get $toEnd))))
    (local.set $last (i32.sub (local.get $end) (i32.const 8)))
    (if (i32.ge_s (local.get $last) (local.get $from)) (then
      (i64.store (local.get $to) (i64.load (local.get $from)))
      (i64.store (i32.sub (local.get $toEnd) (i32.const 8)) (i64.load (local.get $last)))
      (return (local.get $toEnd))))
    (block $done
      (loop $byte
        (br_if $done (i32.ge_s (local.get $from) (local.get $end)))
        (i32.store8 (local.get $to) (i32.load8_u (local.get $from)))
        (local.set $to (i32.add (local.get $to) (i32.const 1)))
        (local.set $from (i32.add (local.get $from) (i32.const 1)))
        (br $byte)))
    (local.get $toEnd))

  ;; Whether the bytes from $pos up to $end are a host as nearly all are: a registered name or IPv4 address without
  ;; escapes, and a port up to 59999 (RFC 3986 §3.2.2). Other hosts may be as good.
  (func $isPlainHost (param $pos i32) (param $end i32) (result i32)
    (local $bytes v128) (local $low v128) (local $high v128) (local $nibbles v128) (local $zeros v128)
    (local $stops i32) (local $start i32)
    (local $digits i32) (local $word i32)
    (local.set $digits (i32.sub (local.get $end) (local.get $pos)))
    (if (i32.or (i32.eqz (local.get $digits)) (i32.gt_u (local.get $digits) (i32.const 256)))
      (then (return (i32.const 0))))
    (local.set $start (local.get $pos))
    (local.set $low (v128.const i8x16
      0xa8 0xfc 0xf8 0xf8 0xfc 0xf8 0xfc 0xfc 0xfc 0xfc 0xf4 0x5c 0x54 0x5c 0xd4 0x70))
    (local.set $high (v128.const i8x16
      0x01 0x02 0x04 0x08 0x10 0x20 0x40 0x80 0 0 0 0 0 0 0 0))
    (local.set $nibbles (i8x16.splat (i32.const 0x0f)))
    (loop $name
      (local.set $bytes (v128.load (local.get $pos)))
      (local.set $stops (i8x16.bitmask (i8x16.eq
        (v128.and
          (i8x16.relaxed_swizzle (local.get $low) (v128.and (local.get $bytes) (local.get $nibbles)))
          (i8x16.relaxed_swizzle (local.get $high)
            (v128.and (i16x8.shr_u (local.get $bytes) (i32.const 4)) (local.get $nibbles))))
        (local.get $zeros))))
      (if (i32.eqz (local.get $stops)) (then
        (local.set $pos (i32.add (local.get $pos) (i32.const 16)))
        (br_if $name (i32.lt_u (local.get $pos) (local.get $end)))
        (return (i32.const 1)))))
    (local.set $pos (i32.add (local.get $pos) (i32.ctz (local.get $stops))))
    (if (i32.ge_u (local.get $pos) (local.get $end)) (then (return (i32.const 1))))
    (if (i32.or
          (i32.eq (local.get $pos) (local.get $start))
          (i32.ne (i32.load8_u (local.get $pos)) (i32.const 0x3a)))
      (then (return (i32.const 0))))
    (local.set $digits (i32.sub (i32.sub (local.get $end) (local.get $pos)) (i32.const 1)))
    ;; With five, the first decides: the largest port is 65535.
    (if (i32.eq (local.get $digits) (i32.const 5)) (then
      (if (i32.gt_u (i32.sub (i32.load8_u offset=1 (local.get $pos)) (i32.const 0x30)) (i32.const 5))
        (then (return (i32.const 0))))
      (local.set $pos (i32.add (local.get $pos) (i32.const 1)))
      (local.set $digits (i32.const 4))))
    (if (i32.gt_u (i32.sub (local.get $digits) (i32.const 1)) (i32.const 3)) (then (return (i32.const 0))))
    ;; All of them at once: what is behind them is shifted out, and a byte is a digit when neither it nor it plus 6
    ;; leaves 0x30 to 0x3f.
    (local.set $digits (i32.shl (i32.sub (i32.const 4) (local.get $digits)) (i32.const 3)))
    (local.set $word (i32.shl (i32.load offset=1 (local.get $pos)) (local.get $digits)))
    (i32.eqz (i32.and
      (i32.shl (i32.const -1) (local.get $digits))
      (i32.and (i32.const 0xf0f0f0f0) (i32.or
        (i32.xor (local.get $word) (i32.const 0x30303030))
        (i32.xor (i32.add (local.get $word) (i32.const 0x06060606)) (i32.const 0x30303030)))))))

  ;; Field lines from $pos up to the empty line. Of each: name start, name end, value start, value end (32 bits each)
  ;; at $fields, and the id of its name at $ids. Returns the offset past the empty line, or 0 where it gave up.
  ;;
  ;; Nothing is called within the loop: what is in registers would be saved and loaded again for each line.
  (func (export "scan")
    (param $pos i32) (param $limit i32) (param $fields i32) (param $ids i32) (param $countMax i32) (result i32)
    (local $count i32) (local $nameStart i32) (local $nameEnd i32) (local $valueStart i32) (local $valueEnd i32)
    (local $stops i32) (local $byte i32) (local $length i32) (local $id i32) (local $row i32)
    (local $hostId i32) (local $hostStart i32) (local $hostEnd i32)
    (local $bytes v128) (local $folded v128) (local $low v128) (local $high v128) (local $fold v128)
    (local $nibbles v128) (local $controls v128) (local $deletes v128) (local $zeros v128)
    ;; Token bytes but "_": bit h of byte l is set when the byte 0xhl is one.
    (local.set $low (v128.const i8x16
      0xe8 0xfc 0xf8 0xfc 0xfc 0xfc 0xfc 0xfc 0xf8 0xf8 0xf4 0x54 0xd0 0x54 0xf4 0x50))
    (local.set $high (v128.const i8x16
      0x01 0x02 0x04 0x08 0x10 0x20 0x40 0x80 0 0 0 0 0 0 0 0))
    (local.set $fold (i8x16.splat (i32.const 0x20)))
    (local.set $nibbles (i8x16.splat (i32.const 0x0f)))
    (local.set $controls (i8x16.splat (i32.const 0x1f)))
    (local.set $deletes (i8x16.splat (i32.const 0x7f)))
    (local.set $hostId (i32.load8_u offset=49 (global.get $tables)))
    (block $ended
      (loop $line
        (local.set $nameStart (local.get $pos))
        (block $named
          (loop $name
            (local.set $bytes (v128.load (local.get $pos)))
            (local.set $stops (i8x16.bitmask (i8x16.eq
              (v128.and
                (i8x16.relaxed_swizzle (local.get $low) (v128.and (local.get $bytes) (local.get $nibbles)))
                (i8x16.relaxed_swizzle (local.get $high)
                  (v128.and (i16x8.shr_u (local.get $bytes) (i32.const 4)) (local.get $nibbles))))
              (local.get $zeros))))
            (if (local.get $stops) (then
              (local.set $pos (i32.add (local.get $pos) (i32.ctz (local.get $stops))))
              (br $named)))
            (local.set $pos (i32.add (local.get $pos) (i32.const 16)))
            (br_if $name (i32.lt_u (local.get $pos) (local.get $limit)))
            (return (i32.const 0))))

        (br_if $ended (i32.eq (local.get $pos) (local.get $nameStart)))
        (if (i32.ne (i32.load8_u (local.get $pos)) (i32.const 0x3a)) (then (return (i32.const 0))))
        (if (i32.ge_u (local.get $count) (local.get $countMax)) (then (return (i32.const 0))))
        (local.set $nameEnd (local.get $pos))
        (block $spaced
          (loop $space
            (local.set $pos (i32.add (local.get $pos) (i32.const 1)))
            (if (i32.ge_u (local.get $pos) (local.get $limit)) (then (return (i32.const 0))))
            (local.set $byte (i32.load8_u (local.get $pos)))
            (br_if $spaced (i32.gt_u (local.get $byte) (i32.const 0x20)))
            (br_if $space (i32.eq (local.get $byte) (i32.const 0x20)))
            (br_if $space (i32.eq (local.get $byte) (i32.const 0x09)))))

        ;; The value ends before the first control; of these HTAB alone may stand inside of it.
        (local.set $valueStart (local.get $pos))
        (block $valued
          (loop $value
            (if (i32.ge_u (local.get $pos) (local.get $limit)) (then (return (i32.const 0))))
            (local.set $bytes (v128.load (local.get $pos)))
            (local.set $stops (i8x16.bitmask (v128.or
              (i8x16.le_u (local.get $bytes) (local.get $controls))
              (i8x16.eq (local.get $bytes) (local.get $deletes)))))
            (if (i32.eqz (local.get $stops)) (then
              (local.set $pos (i32.add (local.get $pos) (i32.const 16)))
              (br $value)))
            (local.set $pos (i32.add (local.get $pos) (i32.ctz (local.get $stops))))
            (br_if $valued (i32.eq (i32.load16_u (local.get $pos)) (i32.const 0x0a0d)))
            (if (i32.ne (i32.load8_u (local.get $pos)) (i32.const 0x09)) (then (return (i32.const 0))))
            (local.set $pos (i32.add (local.get $pos) (i32.const 1)))
            (br $value)))
        (local.set $valueEnd (local.get $pos))
        (local.set $pos (i32.add (local.get $pos) (i32.const 2)))
        (if (i32.gt_u (local.get $pos) (local.get $limit)) (then (return (i32.const 0))))
        (block $trimmed
          (loop $trim
            (br_if $trimmed (i32.le_u (local.get $valueEnd) (local.get $valueStart)))
            (br_if $trimmed (i32.gt_u
              (i32.load8_u (i32.sub (local.get $valueEnd) (i32.const 1)))
              (i32.const 0x20)))
            (local.set $valueEnd (i32.sub (local.get $valueEnd) (i32.const 1)))
            (br $trim)))

        ;; Setting 0x20 folds case exactly within tokens, but for "^", which no known name has.
        (local.set $folded (v128.or (v128.load (local.get $nameStart)) (local.get $fold)))
        (local.set $length (i32.sub (local.get $nameEnd) (local.get $nameStart)))
        (block $known
          (block $unknown
            (br_if $unknown (i32.ge_u (local.get $length) (i32.const 32)))
            (local.set $row (i32.shl (local.get $length) (i32.const 5)))
            (local.set $id (i32.load8_u offset=64 (i32.add (global.get $tables)
              (i32.or (local.get $row) (i32.and (i32.load8_u (local.get $nameStart)) (i32.const 31))))))
            (br_if $unknown (i32.eqz (local.get $id)))
            (local.set $bytes (v128.xor
              (v128.load offset=1088 (i32.add (global.get $tables) (i32.shl (local.get $id) (i32.const 5))))
              (v128.and
                (local.get $folded)
                (v128.load offset=2112 (i32.add (global.get $tables) (local.get $row))))))
            (if (i32.gt_u (local.get $length) (i32.const 16)) (then
              (local.set $bytes (v128.or (local.get $bytes) (v128.xor
                (v128.load offset=1104 (i32.add (global.get $tables) (i32.shl (local.get $id) (i32.const 5))))
                (v128.and
                  (v128.or (v128.load offset=16 (local.get $nameStart)) (local.get $fold))
                  (v128.load offset=2128 (i32.add (global.get $tables) (local.get $row)))))))))
            (br_if $unknown (v128.any_true (local.get $bytes)))
            (br_if $known (i32.ne (local.get $id) (local.get $hostId)))
            (local.set $hostStart (local.get $valueStart))
            (local.set $hostEnd (local.get $valueEnd))
            (br $known))
          ;; A name that is shorter than the prefix differs from it at its colon.
          (local.set $id (i32.const 0))
          (br_if $known (v128.any_true (v128.xor
            (v128.load offset=16 (global.get $tables))
            (v128.and (local.get $folded) (v128.load offset=32 (global.get $tables))))))
          (local.set $id (i32.load8_u offset=48 (global.get $tables))))

        (i32.store (local.get $fields) (local.get $nameStart))
        (i32.store offset=4 (local.get $fields) (local.get $nameEnd))
        (i32.store offset=8 (local.get $fields) (local.get $valueStart))
        (i32.store offset=12 (local.get $fields) (local.get $valueEnd))
        (local.set $fields (i32.add (local.get $fields) (i32.const 16)))
        (i32.store8 (i32.add (local.get $ids) (local.get $count)) (local.get $id))
        (local.set $count (i32.add (local.get $count) (i32.const 1)))
        (br $line)))

    ;; The empty line.
    (if (i32.ne (i32.load16_u (local.get $pos)) (i32.const 0x0a0d)) (then (return (i32.const 0))))
    (local.set $pos (i32.add (local.get $pos) (i32.const 2)))
    (if (i32.gt_u (local.get $pos) (local.get $limit)) (then (return (i32.const 0))))
    (i32.store (global.get $tables) (local.get $count))
    (i32.store offset=4 (global.get $tables) (i32.const 0))
    (if (local.get $hostStart) (then
      (if (call $isPlainHost (local.get $hostStart) (local.get $hostEnd)) (then
        (i32.store offset=4 (global.get $tables) (local.get $hostStart))))))
    (local.get $pos)))
