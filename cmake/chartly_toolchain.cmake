# Compiler settings for every target of the project.
set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/bin")

if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release)
endif()

# The compiler's own collector of garbage takes a fifth of its time. It begins at a gigabyte of garbage now, in KiB.
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  add_compile_options(--param=ggc-min-heapsize=1000000)
endif()

# ccache and mold only make the build faster; without them it is the same build.
find_program(CHARTLY_CCACHE ccache)
if(CHARTLY_CCACHE)
  set(CMAKE_CXX_COMPILER_LAUNCHER "${CHARTLY_CCACHE}")
endif()
find_program(CHARTLY_MOLD mold)
if(CHARTLY_MOLD)
  add_link_options(-fuse-ld=mold)
endif()

if(CHARTLY_SANITIZE STREQUAL "address")
  add_compile_options(-fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer)
  add_link_options(-fsanitize=address,undefined)
elseif(CHARTLY_SANITIZE STREQUAL "fuzz")
  # clang only. vptr needs type information of libraries that were built without it.
  add_compile_options(-fsanitize=fuzzer-no-link,address,undefined -fno-sanitize=vptr -fno-sanitize-recover=all
                      -fno-omit-frame-pointer)
  add_link_options(-fsanitize=address,undefined -fno-sanitize=vptr)
elseif(CHARTLY_SANITIZE STREQUAL "thread")
  add_compile_options(-fsanitize=thread -fno-omit-frame-pointer)
  # gcc does not support the fences of Asio under this sanitizer; without them Asio uses what it supports.
  add_compile_definitions(BOOST_ASIO_DISABLE_FENCED_BLOCK)
  # Protobuf's headers add a member to messages when they see this macro, which the packaged library does not have;
  # libstdc++ takes its own from it, to leave out shortcuts in shared_ptr that the sanitizer cannot follow.
  add_compile_options(-U__SANITIZE_THREAD__)
  add_compile_definitions(_GLIBCXX_TSAN=1)
  add_link_options(-fsanitize=thread)
endif()

# Warnings are errors in the project's own code, with the compiler that it is written for (fuzzing takes another one);
# generated code and dependencies are built as they come.
# -Wrestrict is off: gcc 12 sees overlaps in std::string that are not there (gcc bug 105651) as soon as it optimizes.
add_library(chartly_warnings INTERFACE)
target_compile_options(chartly_warnings INTERFACE
  -Wall -Wextra $<$<NOT:$<STREQUAL:${CHARTLY_SANITIZE},fuzz>>:-Werror> -Wshadow -Wnon-virtual-dtor -Woverloaded-virtual -Wunused-result -Wno-missing-field-initializers $<$<CXX_COMPILER_ID:GNU>:-Wno-restrict>)
