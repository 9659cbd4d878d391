# Every dependency is a package of Debian 12 and 13; nothing is downloaded or vendored.
find_package(Threads REQUIRED)
find_package(Protobuf REQUIRED)
find_package(absl REQUIRED)
find_package(gRPC CONFIG REQUIRED)
find_package(RocksDB CONFIG REQUIRED)
find_package(yaml-cpp CONFIG REQUIRED)
find_package(CURL REQUIRED)
find_package(ZLIB REQUIRED)
find_package(EXPAT REQUIRED)
find_package(simdjson CONFIG REQUIRED)
find_package(OpenSSL REQUIRED)
find_package(Boost 1.81 REQUIRED)
find_package(prometheus-cpp CONFIG REQUIRED)
find_package(spdlog CONFIG REQUIRED)
find_package(CLI11 CONFIG REQUIRED)
find_package(PkgConfig REQUIRED)
pkg_check_modules(CHARTLY_RE2 REQUIRED IMPORTED_TARGET GLOBAL re2)
pkg_check_modules(CHARTLY_ZSTD REQUIRED IMPORTED_TARGET GLOBAL libzstd)
pkg_check_modules(CHARTLY_XXHASH REQUIRED IMPORTED_TARGET GLOBAL libxxhash)
pkg_check_modules(CHARTLY_LIBPQ REQUIRED IMPORTED_TARGET GLOBAL libpq)

# One name a dependency, whatever the distribution calls the target.
function(chartly_alias NAME)
  foreach(candidate IN LISTS ARGN)
    if(TARGET ${candidate})
      add_library(chartly_dep_${NAME} INTERFACE)
      target_link_libraries(chartly_dep_${NAME} INTERFACE ${candidate})
      return()
    endif()
  endforeach()
  message(FATAL_ERROR "no CMake target found for ${NAME} (tried: ${ARGN}); run ./dev setup")
endfunction()
chartly_alias(RocksDB RocksDB::rocksdb-shared RocksDB::rocksdb)
chartly_alias(yaml-cpp yaml-cpp::yaml-cpp yaml-cpp)
chartly_alias(re2 re2::re2 PkgConfig::CHARTLY_RE2)
chartly_alias(zstd PkgConfig::CHARTLY_ZSTD)
chartly_alias(xxhash PkgConfig::CHARTLY_XXHASH)
chartly_alias(libpq PkgConfig::CHARTLY_LIBPQ)

# google/api/annotations.proto comes with different packages on different releases.
find_path(GOOGLEAPIS_DIR google/api/annotations.proto PATHS
  /usr/share/gocode/src/github.com/grpc-ecosystem/grpc-gateway/third_party/googleapis
  /usr/share/gocode/src/github.com/googleapis/googleapis
  /usr/lib/python3/dist-packages
  NO_DEFAULT_PATH REQUIRED)

if(CHARTLY_TESTS)
  enable_testing()
  find_package(Catch2 REQUIRED)
  include(Catch)
endif()
