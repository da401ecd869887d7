#pragma once

// TK_SIMD before a function with a plain loop compiles it for several vector widths; the processor's best one is taken
// at load time. Sanitizers cannot run resolvers that early, and clang has no clones of templates: one version there.
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && !defined(__SANITIZE_ADDRESS__) && \
    !defined(__SANITIZE_THREAD__) && !defined(TK_NO_CLONES)
#define TK_SIMD __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define TK_SIMD
#endif
