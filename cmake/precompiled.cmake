# proa_precompiled(TARGET library | test): the standard library's headers, which every source reads and which are a third of what the
# compiler does, are read once. The release is built without, so that a source which does not include what it uses is found.
set(PROA_HEADERS <algorithm> <array> <atomic> <chrono> <condition_variable> <cstdint> <cstring> <exception> <functional> <map> <memory> <mutex>
  <optional> <set> <span> <stop_token> <string> <string_view> <thread> <utility> <vector> <boost/json/array.hpp> <boost/json/object.hpp>
  <boost/json/parser.hpp> <boost/json/value.hpp>)

function(proa_precompiled target kind)
  if(NOT PROA_PCH)
    return()
  endif()
  if(NOT TARGET proa_headers_${kind})
    file(CONFIGURE OUTPUT ${CMAKE_BINARY_DIR}/nothing.cc CONTENT "")
    add_library(proa_headers_${kind} OBJECT EXCLUDE_FROM_ALL ${CMAKE_BINARY_DIR}/nothing.cc)
    target_precompile_headers(proa_headers_${kind} PRIVATE ${PROA_HEADERS})
    if(kind STREQUAL test)
      # As CMake compiles what goes into a program: the compiler takes no headers that were read otherwise.
      set_target_properties(proa_headers_test PROPERTIES POSITION_INDEPENDENT_CODE OFF)
      target_compile_options(proa_headers_test PRIVATE -fPIE)
      target_precompile_headers(proa_headers_test PRIVATE <gmock/gmock.h> <gtest/gtest.h>)
    endif()
  endif()
  target_precompile_headers(${target} REUSE_FROM proa_headers_${kind})
  if(kind STREQUAL test)
    # g++ 12 forgets what a precompiled header says about itself: its false alarms about strings that are added up come through.
    target_compile_options(${target} PRIVATE -Wno-array-bounds -Wno-restrict -Wno-stringop-overflow -Wno-stringop-overread)
  endif()
endfunction()
