# libkrg, and what `cmake --install` puts where. tests/install builds consumers against the result.

# What a program that links krg may use; those of the list that exist, and what is below them.
set(KRG_LIBRARY_MODULES base error log config wire reactor shm cluster stats gate task region locks heap region_io)
get_property(modules GLOBAL PROPERTY KRG_MODULES)
set(library_modules)
foreach(module IN LISTS KRG_LIBRARY_MODULES)
  if(module IN_LIST modules)
    list(APPEND library_modules ${module})
  endif()
endforeach()
krg_closure(library_modules ${library_modules})

add_library(krg SHARED)
add_library(krg_static STATIC)
foreach(target krg krg_static)
  krg_gather(${target} ${library_modules})
  # krg/log/log.h shows fmt's format strings to whoever includes it.
  target_link_libraries(${target} PUBLIC fmt::fmt)
endforeach()
set_target_properties(krg PROPERTIES VERSION ${PROJECT_VERSION} SOVERSION ${PROJECT_VERSION_MAJOR})
set_target_properties(krg_static PROPERTIES OUTPUT_NAME krg)
target_compile_features(krg INTERFACE cxx_std_20)
target_include_directories(krg INTERFACE $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)

# To be linked, or preloaded: system calls on regions where the kernel can not wait for their pages.
add_library(krg_io SHARED $<TARGET_OBJECTS:krg_libc_io>)
target_link_libraries(krg_io PRIVATE krg)
set_target_properties(krg_io PROPERTIES VERSION ${PROJECT_VERSION} SOVERSION ${PROJECT_VERSION_MAJOR}
                      INSTALL_RPATH "\$ORIGIN")

install(TARGETS krg krg_io EXPORT krg-targets
  LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(TARGETS krg_static ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
foreach(module IN LISTS library_modules)
  get_target_property(folder krg_${module} SOURCE_DIR)
  install(DIRECTORY ${folder}/include/ DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
endforeach()

get_property(commands GLOBAL PROPERTY KRG_COMMANDS)
foreach(command IN LISTS commands)
  set_target_properties(${command} PROPERTIES INSTALL_RPATH "\$ORIGIN/../${CMAKE_INSTALL_LIBDIR}")
  install(TARGETS ${command} RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
endforeach()

# pkg-config: the outside libraries of a static link are those of the modules, by their .pc names.
set(requires_private)
set(libs_private -lstdc++ -lm)
foreach(module IN LISTS library_modules)
  get_property(libs GLOBAL PROPERTY KRG_MODULE_${module}_LIBS)
  foreach(lib IN LISTS libs)
    if(lib STREQUAL "spdlog::spdlog")
      list(APPEND requires_private spdlog)
    elseif(lib STREQUAL "Threads::Threads")
      list(APPEND libs_private -pthread)
    elseif(lib MATCHES "^PkgConfig::(.*)$")
      list(APPEND requires_private ${${CMAKE_MATCH_1}_MODULE_NAME})
    elseif(NOT lib MATCHES "^(fmt::fmt|nlohmann_json::nlohmann_json)$")
      message(FATAL_ERROR "cmake/install.cmake: what is the pkg-config name of '${lib}'?")
    endif()
  endforeach()
endforeach()
list(REMOVE_DUPLICATES requires_private)
list(REMOVE_DUPLICATES libs_private)
list(JOIN requires_private ", " KRG_REQUIRES_PRIVATE)
list(JOIN libs_private " " KRG_LIBS_PRIVATE)
# Relative, so that the installed tree can be moved; lib may be lib/x86_64-linux-gnu.
file(RELATIVE_PATH KRG_PREFIX_FROM_LIBDIR /${CMAKE_INSTALL_LIBDIR} /)
configure_file(${CMAKE_CURRENT_LIST_DIR}/packaging/krg.pc.in krg.pc @ONLY)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/krg.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)

# find_package(krg) gives krg::krg.
include(CMakePackageConfigHelpers)
set(package_folder ${CMAKE_INSTALL_LIBDIR}/cmake/krg)
configure_package_config_file(${CMAKE_CURRENT_LIST_DIR}/packaging/krg-config.cmake.in
  krg-config.cmake INSTALL_DESTINATION ${package_folder})
write_basic_package_version_file(krg-config-version.cmake COMPATIBILITY SameMinorVersion)
install(EXPORT krg-targets NAMESPACE krg:: DESTINATION ${package_folder})
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/krg-config.cmake
  ${CMAKE_CURRENT_BINARY_DIR}/krg-config-version.cmake DESTINATION ${package_folder})

install(FILES LICENSE README.md CHANGELOG.md DESTINATION ${CMAKE_INSTALL_DOCDIR})
