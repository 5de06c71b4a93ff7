# The trusted end of a host. sim_host does not link the framework's server, and so no solution: some
# linkers take any archive member that has a template they look for. sim_linked_host does.
add_library(sim_host STATIC
  answer_reader.cpp death.cpp host_process.cpp launcher.cpp process_host.cpp queueing_host.cpp symbols.cpp)
target_include_directories(sim_host PUBLIC ${PROJECT_SOURCE_DIR}/grader)
target_link_libraries(sim_host PUBLIC mailbox)

add_library(sim_linked_host STATIC linked_host.cpp)
target_link_libraries(sim_linked_host PUBLIC sim_host host)
