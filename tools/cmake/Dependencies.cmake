# Everything comes from Debian packages (tools/install-dependencies). BoringSSL: Debian's Android build, or
# -DBORINGSSL_ROOT=DIR for another one (DIR/include/openssl, DIR/lib with libssl and libcrypto, static or shared).
find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)
find_package(fmt REQUIRED)
find_package(spdlog REQUIRED)
find_package(nlohmann_json REQUIRED)
find_package(CLI11 REQUIRED)
find_package(tl-expected REQUIRED)
find_package(ICU REQUIRED COMPONENTS uc i18n data)
find_package(ZLIB REQUIRED)
pkg_check_modules(UV REQUIRED IMPORTED_TARGET libuv)
pkg_check_modules(LMDB REQUIRED IMPORTED_TARGET lmdb)
pkg_check_modules(ARGON2 REQUIRED IMPORTED_TARGET libargon2)
pkg_check_modules(CRYPT REQUIRED IMPORTED_TARGET libxcrypt)
pkg_check_modules(ZSTD REQUIRED IMPORTED_TARGET libzstd)

set(BORINGSSL_ROOT "" CACHE PATH "A BoringSSL build to use in place of Debian's")
if(BORINGSSL_ROOT)
  find_path(BORINGSSL_INCLUDE openssl/base.h PATHS ${BORINGSSL_ROOT}/include NO_DEFAULT_PATH REQUIRED)
  find_library(BORINGSSL_SSL ssl PATHS ${BORINGSSL_ROOT}/lib ${BORINGSSL_ROOT}/ssl ${BORINGSSL_ROOT}
               NO_DEFAULT_PATH REQUIRED)
  find_library(BORINGSSL_CRYPTO crypto
               PATHS ${BORINGSSL_ROOT}/lib ${BORINGSSL_ROOT}/crypto ${BORINGSSL_ROOT}
               NO_DEFAULT_PATH REQUIRED)
else()
  find_path(BORINGSSL_INCLUDE openssl/base.h PATHS /usr/include/android NO_DEFAULT_PATH REQUIRED)
  find_library(BORINGSSL_SSL ssl PATHS /usr/lib/${CMAKE_LIBRARY_ARCHITECTURE}/android NO_DEFAULT_PATH
               REQUIRED)
  find_library(BORINGSSL_CRYPTO crypto PATHS /usr/lib/${CMAKE_LIBRARY_ARCHITECTURE}/android
               NO_DEFAULT_PATH REQUIRED)
endif()
file(STRINGS ${BORINGSSL_INCLUDE}/openssl/base.h BORINGSSL_MARK REGEX "define OPENSSL_IS_BORINGSSL")
if(NOT BORINGSSL_MARK)
  message(FATAL_ERROR "${BORINGSSL_INCLUDE}/openssl is not BoringSSL (set -DBORINGSSL_ROOT)")
endif()
get_filename_component(BORINGSSL_LIBDIR ${BORINGSSL_CRYPTO} DIRECTORY)
list(APPEND CMAKE_BUILD_RPATH ${BORINGSSL_LIBDIR})
list(APPEND CMAKE_INSTALL_RPATH ${BORINGSSL_LIBDIR})

add_library(Boring::crypto UNKNOWN IMPORTED)
set_target_properties(Boring::crypto PROPERTIES IMPORTED_LOCATION ${BORINGSSL_CRYPTO}
                      INTERFACE_INCLUDE_DIRECTORIES ${BORINGSSL_INCLUDE}
                      INTERFACE_SYSTEM_INCLUDE_DIRECTORIES ${BORINGSSL_INCLUDE})
add_library(Boring::ssl UNKNOWN IMPORTED)
set_target_properties(Boring::ssl PROPERTIES IMPORTED_LOCATION ${BORINGSSL_SSL}
                      INTERFACE_LINK_LIBRARIES "Boring::crypto;Threads::Threads")
