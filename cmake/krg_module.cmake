# krg_module(NAME <name> SOURCES <cpp...> PUBLIC_HEADERS <h...> DEPS <modules...> [LIBS <targets...>]
#            [UNITY])
#
# The one way to declare a module. It makes the object library krg_<name> whose only include root is
# its own include/ folder, links the declared modules for their include roots, and refuses
#   - a dependency that is not strictly lower in cmake/layers.cmake,
#   - an #include "krg/<other>/..." of a module that DEPS does not name.
# LIBS are outside libraries (imported targets); they stay private to the module. UNITY compiles the
# sources as one.

include(${CMAKE_CURRENT_LIST_DIR}/layers.cmake)

function(krg_check_includes name deps)
  set(allowed ${name} ${deps})
  foreach(file IN LISTS ARGN)
    file(STRINGS ${file} lines REGEX "^#include [<\"]krg/")
    foreach(line IN LISTS lines)
      string(REGEX MATCH "krg/([a-z0-9_]+)/" _ "${line}")
      if(NOT CMAKE_MATCH_1 IN_LIST allowed)
        message(FATAL_ERROR "${file}: includes krg/${CMAKE_MATCH_1}/, but module '${name}' "
                            "does not declare '${CMAKE_MATCH_1}' in DEPS")
      endif()
    endforeach()
  endforeach()
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${ARGN})
endfunction()

# krg_headers_alone(<out> <unity> SOURCES <cpp...> HEADERS <h...>): the public headers that no source
# includes before anything else, so that only a build of their own shows that they stand alone.
function(krg_headers_alone out unity)
  cmake_parse_arguments(A "" "" "SOURCES;HEADERS" ${ARGN})
  set(alone ${A_HEADERS})
  if(NOT unity)
    foreach(source IN LISTS A_SOURCES)
      file(STRINGS ${source} first LIMIT_COUNT 1 REGEX "^#include ")
      string(REGEX REPLACE "^#include [<\"](.*)[>\"].*" "\\1" first "${first}")
      list(FILTER alone EXCLUDE REGEX "/include/${first}$")
    endforeach()
  endif()
  set(${out} ${alone} PARENT_SCOPE)
endfunction()

function(krg_module)
  cmake_parse_arguments(M "UNITY" "NAME" "SOURCES;PUBLIC_HEADERS;DEPS;LIBS" ${ARGN})
  if(M_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "krg_module(${M_NAME}): unknown arguments ${M_UNPARSED_ARGUMENTS}")
  endif()
  krg_layer(${M_NAME} own)
  foreach(dep IN LISTS M_DEPS)
    krg_layer(${dep} layer)
    if(NOT layer LESS own)
      message(FATAL_ERROR "module '${M_NAME}' (layer ${own}) may not depend on '${dep}' "
                          "(layer ${layer}): arrows go strictly downwards")
    endif()
  endforeach()

  list(TRANSFORM M_SOURCES PREPEND ${CMAKE_CURRENT_SOURCE_DIR}/)
  set(headers ${M_PUBLIC_HEADERS})
  list(TRANSFORM headers PREPEND ${CMAKE_CURRENT_SOURCE_DIR}/include/krg/${M_NAME}/)
  file(GLOB private_headers CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.h)
  krg_check_includes(${M_NAME} "${M_DEPS}" ${M_SOURCES} ${headers} ${private_headers})

  set(target krg_${M_NAME})
  add_library(${target} OBJECT ${M_SOURCES})
  # X-macro tables (*.def) are installed beside the headers but can not be compiled alone.
  set(tables ${headers})
  list(FILTER tables INCLUDE REGEX "\\.def$")
  list(FILTER headers EXCLUDE REGEX "\\.def$")
  krg_headers_alone(alone "${M_UNITY}" SOURCES ${M_SOURCES} HEADERS ${headers})
  list(REMOVE_ITEM headers ${alone})
  target_sources(${target} PUBLIC
    FILE_SET HEADERS BASE_DIRS ${CMAKE_CURRENT_SOURCE_DIR}/include FILES ${headers}
    FILE_SET alone TYPE HEADERS BASE_DIRS ${CMAKE_CURRENT_SOURCE_DIR}/include FILES ${alone}
    FILE_SET tables TYPE HEADERS BASE_DIRS ${CMAKE_CURRENT_SOURCE_DIR}/include FILES ${tables})
  target_link_libraries(${target} PRIVATE krg_build_flags)
  foreach(dep IN LISTS M_DEPS)
    target_link_libraries(${target} PUBLIC krg_${dep})
  endforeach()
  # Outside libraries: headers for this module alone, the link line for whoever links the objects.
  foreach(lib IN LISTS M_LIBS)
    target_link_libraries(${target} PRIVATE ${lib})
  endforeach()
  set_target_properties(${target} PROPERTIES POSITION_INDEPENDENT_CODE ON
                        VERIFY_INTERFACE_HEADER_SETS ON
                        INTERFACE_HEADER_SETS_TO_VERIFY alone
                        UNITY_BUILD ${M_UNITY} UNITY_BUILD_BATCH_SIZE 0)

  set_property(GLOBAL APPEND PROPERTY KRG_MODULES ${M_NAME})
  set_property(GLOBAL PROPERTY KRG_MODULE_${M_NAME}_DEPS ${M_DEPS})
  set_property(GLOBAL PROPERTY KRG_MODULE_${M_NAME}_LIBS ${M_LIBS})
endfunction()

# krg_add_modules(<folder...>): adds the modules that exist, in the order of their layers.
function(krg_add_modules)
  foreach(module IN LISTS ARGN)
    if(EXISTS ${CMAKE_CURRENT_SOURCE_DIR}/${module}/CMakeLists.txt)
      add_subdirectory(${module})
    endif()
  endforeach()
endfunction()

# krg_add_folders(<pattern...>): adds every folder matching a pattern that has a CMakeLists.txt.
function(krg_add_folders)
  foreach(pattern IN LISTS ARGN)
    file(GLOB files CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/${pattern}/CMakeLists.txt)
    foreach(file IN LISTS files)
      get_filename_component(folder ${file} DIRECTORY)
      add_subdirectory(${folder})
    endforeach()
  endforeach()
endfunction()

# krg_closure(<out> <module...>): the modules and everything below them.
function(krg_closure out)
  set(todo ${ARGN})
  set(seen)
  while(todo)
    list(POP_FRONT todo module)
    if(NOT module IN_LIST seen)
      list(APPEND seen ${module})
      get_property(deps GLOBAL PROPERTY KRG_MODULE_${module}_DEPS)
      list(APPEND todo ${deps})
    endif()
  endwhile()
  set(${out} ${seen} PARENT_SCOPE)
endfunction()

# krg_gather(<target> <module...>): puts the objects of the modules' closure into a library target and
# hands on their include roots and outside libraries.
function(krg_gather target)
  krg_closure(modules ${ARGN})
  foreach(module IN LISTS modules)
    get_property(libs GLOBAL PROPERTY KRG_MODULE_${module}_LIBS)
    target_sources(${target} PRIVATE $<TARGET_OBJECTS:krg_${module}>)
    target_include_directories(${target} PUBLIC
      $<BUILD_INTERFACE:$<TARGET_PROPERTY:krg_${module},INTERFACE_INCLUDE_DIRECTORIES>>)
    target_link_libraries(${target} PRIVATE ${libs})
  endforeach()
endfunction()

# krg_program(<name> SOURCES <cpp...> MODULES <modules...> [LIBS <targets...>] [DIR bin|bench|tests])
# An executable that links exactly the objects of the named modules and of what is below them. Without
# DIR it is a command: it goes to bin, and is installed.
function(krg_program name)
  cmake_parse_arguments(P "" "DIR" "SOURCES;MODULES;LIBS" ${ARGN})
  add_executable(${name} ${P_SOURCES})
  krg_closure(modules ${P_MODULES})
  foreach(module IN LISTS modules)
    get_property(libs GLOBAL PROPERTY KRG_MODULE_${module}_LIBS)
    target_link_libraries(${name} PRIVATE krg_${module} ${libs})
  endforeach()
  target_link_libraries(${name} PRIVATE krg_build_flags ${P_LIBS})
  if(P_DIR)
    set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY
                          ${CMAKE_BINARY_DIR}/${P_DIR})
  else()
    set_property(GLOBAL APPEND PROPERTY KRG_COMMANDS ${name})  # A command: installed.
  endif()
endfunction()

# krg_test(<name> SOURCES <cpp...> MODULES <modules...> [LIBS ...] [LABELS ...] [TIMEOUT s] [ARGS ...]
#          [UNITY])
# A GoogleTest program run by ctest as one test. UNITY compiles its sources as one, which takes a
# fraction of the time.
function(krg_test name)
  cmake_parse_arguments(T "UNITY" "TIMEOUT" "SOURCES;MODULES;LIBS;LABELS;ARGS" ${ARGN})
  if(NOT KRG_BUILD_TESTS)
    return()
  endif()
  krg_program(${name} SOURCES ${T_SOURCES} MODULES ${T_MODULES}
              LIBS ${T_LIBS} GTest::gmock GTest::gtest_main DIR tests)
  set_target_properties(${name} PROPERTIES UNITY_BUILD ${T_UNITY} UNITY_BUILD_BATCH_SIZE 0)
  add_test(NAME ${name} COMMAND ${name} ${T_ARGS})
  if(NOT T_TIMEOUT)
    set(T_TIMEOUT 120)
  endif()
  set_tests_properties(${name} PROPERTIES TIMEOUT ${T_TIMEOUT} LABELS "${T_LABELS}")
  # tests_<label> builds the programs of one label: `cmake --build ... --target tests_unit`.
  foreach(label IN LISTS T_LABELS)
    if(NOT TARGET tests_${label})
      add_custom_target(tests_${label})
    endif()
    add_dependencies(tests_${label} ${name})
  endforeach()
endfunction()
