# The standard headers, read once and not in each of 120 files: 0.4 s of 0.8 s of a small file, and
# with GoogleTest 0.7 s of 1.4 s of a test. Each file includes what it uses all the same, and builds
# with -DCMAKE_DISABLE_PRECOMPILE_HEADERS=ON, as in preset lint: clang-tidy cannot read GCC's.
#   dynamo_precompile(sim given)           libraries: -fPIC and -O1 to -O3
#   dynamo_precompile_checks(lab1_checks)  libraries of checks: with the simulator's check.h
#   dynamo_precompile_tests(sim_tests)     programs of tests: -fPIE and -O0, with GoogleTest
# GCC takes a precompiled header only where these are as they were, hence three, and none elsewhere.
# JSON and Asio are not among them: what they instantiate costs a file more than reading them.
set(DYNAMO_COMMON_HEADERS
  <algorithm> <array> <chrono> <cstdint> <filesystem> <fstream> <functional> <map> <memory> <optional>
  <set> <string> <string_view> <utility> <variant> <vector>)

function(_dynamo_precompiled name)
  file(CONFIGURE OUTPUT ${CMAKE_BINARY_DIR}/${name}.cpp CONTENT "// For the header alone.\n")
  add_library(${name} OBJECT ${CMAKE_BINARY_DIR}/${name}.cpp)
  target_precompile_headers(${name} PRIVATE ${ARGN})
  if(CCACHE)
    set(old CMakeFiles/${name}.dir/cmake_pch.hxx.gch)
    set_target_properties(${name} PROPERTIES CXX_COMPILER_LAUNCHER
      "${CMAKE_CURRENT_FUNCTION_LIST_DIR}/header_anew.sh;${old};${CMAKE_CXX_COMPILER_LAUNCHER}")
  endif()
endfunction()

_dynamo_precompiled(precompiled ${DYNAMO_COMMON_HEADERS})
find_package(GTest REQUIRED)
_dynamo_precompiled(precompiled_tests ${DYNAMO_COMMON_HEADERS} <sstream> <gtest/gtest.h>)
dynamo_optimise(-O0 TARGETS precompiled_tests)
set_target_properties(precompiled_tests PROPERTIES POSITION_INDEPENDENT_CODE OFF)
target_compile_options(precompiled_tests PRIVATE -fPIE)
target_link_libraries(precompiled_tests PRIVATE GTest::gtest)  # its definitions

# After sim_checks is there, whose include folders it takes.
_dynamo_precompiled(precompiled_checks ${DYNAMO_COMMON_HEADERS} <gtest/gtest.h> <sim/check.h>)
dynamo_optimise(-O1 TARGETS precompiled_checks)
target_link_libraries(precompiled_checks PRIVATE sim_checks)

function(dynamo_precompile_checks)
  foreach(target IN LISTS ARGN)
    target_precompile_headers(${target} REUSE_FROM precompiled_checks)
  endforeach()
endfunction()

function(dynamo_precompile)
  foreach(target IN LISTS ARGN)
    target_precompile_headers(${target} REUSE_FROM precompiled)
  endforeach()
endfunction()

function(dynamo_precompile_tests)
  foreach(target IN LISTS ARGN)
    target_precompile_headers(${target} REUSE_FROM precompiled_tests)
  endforeach()
endfunction()
