# Less optimisation for code that takes longer to optimise than it ever runs: a third of its compile
# time is saved. Only in a release build; the other build types keep their own level.
#   dynamo_optimise(-O0 TARGETS framework_tests)
#   dynamo_optimise(-O1 SOURCES plan_json.cpp)
function(dynamo_optimise level)
  cmake_parse_arguments(PARSE_ARGV 1 ARG "" "" "TARGETS;SOURCES")
  foreach(target IN LISTS ARG_TARGETS)
    target_compile_options(${target} PRIVATE $<$<CONFIG:Release>:${level}>)
  endforeach()
  if(ARG_SOURCES)
    set_property(SOURCE ${ARG_SOURCES} APPEND PROPERTY COMPILE_OPTIONS $<$<CONFIG:Release>:${level}>)
  endif()
endfunction()
