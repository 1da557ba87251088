# Compiler flags of every krg target, as one interface library.

add_library(krg_build_flags INTERFACE)
target_compile_options(krg_build_flags INTERFACE -Wall -Wextra -Wpedantic -Werror
  -fno-omit-frame-pointer)
if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
  target_compile_options(krg_build_flags INTERFACE -Wthread-safety)
endif()
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
  # gcc bug 105651: "literal" + std::string is reported as an overlapping memcpy.
  target_compile_options(krg_build_flags INTERFACE -Wno-restrict)
endif()
# Nobody replaces our functions at run time, so calls inside a translation unit may be inlined under -fPIC.
target_compile_options(krg_build_flags INTERFACE -fno-semantic-interposition)
target_compile_definitions(krg_build_flags INTERFACE _GNU_SOURCE)

if(KRG_SANITIZE)
  add_compile_options(-fsanitize=${KRG_SANITIZE} -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${KRG_SANITIZE})
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    # The checks that a sanitizer puts in hide from gcc that a variant is full: it warns of a move of
    # Result<T>. The release build still looks for what is really uninitialised.
    target_compile_options(krg_build_flags INTERFACE -Wno-maybe-uninitialized)
  endif()
  if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
    # clang 14 can not assemble a coroutine with the function check's prologue.
    add_compile_options(-fno-sanitize=function)
  endif()
endif()
if(KRG_BUILD_FUZZ)
  if(NOT CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
    message(FATAL_ERROR "KRG_BUILD_FUZZ needs clang: use the preset 'fuzz'")
  endif()
  add_compile_options(-fsanitize=fuzzer-no-link)
endif()
